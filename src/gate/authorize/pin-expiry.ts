/** Reads the expiry of a pin, in both forms that the cluster knows. */
import { readDuration } from './go-duration.js'
import { BadRequest } from '../refusals.js'

/**
 * The cluster looks at `expire-in` only where there is no `expire-at`; both are checked.
 *
 * @param now milliseconds since the epoch
 * @returns the same, up to the next whole second, as the cluster keeps no fraction; Infinity: never
 * @throws BadRequest `bad-option`
 */
export function readExpiry(query: ReadonlyMap<string, string>, now: number): number {
  const at = read('expire-at', expireAt)
  const later = read('expire-in', expireIn)
  return Math.ceil((at ?? later ?? Infinity) / 1000) * 1000

  function read(name: string, reader: typeof expireAt): number | undefined {
    const value = query.get(name) ?? ''
    // ipfs-cluster-ctl sends empty values.
    if (value === '') return undefined
    const ms = reader(value, now)
    if (ms === undefined) throw new BadRequest('bad-option', `parameter ${name} invalid`)
    return ms
  }
}

const rfc3339 =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/
/** Go cannot write a later year as JSON: the pin would break every listing with it. */
const expireAtMsMax = Date.UTC(10_000, 0) - 1000

const zeroMs = Date.parse('0001-01-01T00:00:00Z')

/** RFC 3339 with a zone, in the future: the cluster answers 500 to a past time. */
function expireAt(value: string, now: number): number | undefined {
  const date = rfc3339.exec(value)?.[1]
  const atMs = Date.parse(value)
  if (date === undefined || Number.isNaN(atMs) || atMs > expireAtMsMax) return undefined
  // Go's zero time: for the cluster it means no expiry, and some clients send it.
  if (atMs === zeroMs) return Infinity
  // Date.parse turns the 30th of February into the 2nd of March; Go does not.
  if (new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10) !== date) return undefined
  if (atMs <= now) throw new BadRequest('bad-option', 'expire-at is in the past')
  return atMs
}

/** A Go duration (`72h`, `1h30m`; no days), at least one second. */
function expireIn(value: string, now: number): number | undefined {
  const durationNs = readDuration(value)
  if (durationNs === undefined) return undefined
  if (durationNs < 1e9) throw new BadRequest('bad-option', 'expire-in duration too short')
  return now + durationNs / 1e6
}
