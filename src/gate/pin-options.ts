/** Reads the options of a pin: an allow-list, each value checked, rebuilt in one spelling. */
import { canonicalCid } from '../cluster/cid.js'
import { isDialableAddress, isPeerId } from '../cluster/peer.js'
import type { OptionGrant } from '../settings/permissions.js'
import { BadRequest } from './refusals.js'
import { quote } from './target.js'

/** Name and value as they are sent on, in the order of the client. */
export type Parameter = readonly [name: string, value: string]

const bytesMax = { name: 512, metaKey: 128, metaValue: 1024 }
const metadataMax = 32
const peersMax = 32
/** The cluster tells Kubo to dial no more than this many. */
const originsMax = 10

type Reader = (value: string, name: string) => string | undefined

/**
 * What each option needs and how its value is read; undefined means "as good as absent", which is
 * what the zeros are that ipfs-cluster-ctl always sends.
 */
const readers = new Map<string, { readonly grant?: OptionGrant; readonly read: Reader }>([
  ['name', { read: bounded(bytesMax.name) }],
  ['mode', { read: mode }],
  ['expire-at', { read: expireAt }],
  ['expire-in', { read: expireIn }],
  ['shard-size', { read: onlyZero }],
  ['replication', { grant: 'replication', read: replication }],
  ['replication-min', { grant: 'replication', read: replication }],
  ['replication-max', { grant: 'replication', read: replication }],
  ['user-allocations', { grant: 'user-allocations', read: list(peersMax, isPeerId) }],
  ['origins', { grant: 'origins', read: list(originsMax, isDialableAddress) }],
  ['pin-update', { grant: 'pin-update', read: canonicalCid }],
])
const zeroable = new Set(['replication', 'replication-min', 'replication-max'])

/**
 * Checks every option of a pin. The cluster answers a bad one with 400 and *still acts*, without
 * the options that come after it, so none may get that far.
 *
 * @param granted options beyond one's own pin that the encoder may use
 * @throws BadRequest `bad-option`, or `option-not-granted`
 */
export function readPinOptions(
  query: ReadonlyMap<string, string>,
  granted: ReadonlySet<OptionGrant>,
): Parameter[] {
  const options: Parameter[] = []
  let metadata = 0
  for (const [name, value] of query) {
    if (name.startsWith('meta-')) {
      if (++metadata > metadataMax) throw new BadRequest('bad-option', 'too many metadata entries')
      options.push(readMetadata(name, value))
      continue
    }
    const option = readers.get(name)
    if (option === undefined) throw unknownParameter(name)
    if (zeroable.has(name) && value === '0') continue
    if (option.grant !== undefined && !granted.has(option.grant)) {
      throw new BadRequest('option-not-granted', `forbidden: option ${name} is not granted`)
    }
    const read = option.read(value, name)
    if (read === undefined) throw invalid(name)
    if (read !== '') options.push([name, read])
  }
  checkReplication(new Map(options))
  return options
}

export const unknownParameter = (name: string): BadRequest =>
  new BadRequest('bad-option', `unknown parameter ${quote(name)}`)

const invalid = (name: string): BadRequest =>
  new BadRequest('bad-option', `parameter ${name} invalid`)

function readMetadata(name: string, value: string): Parameter {
  const key = name.slice('meta-'.length)
  const tooLong =
    Buffer.byteLength(key) > bytesMax.metaKey || Buffer.byteLength(value) > bytesMax.metaValue
  if (key === '' || tooLong) throw new BadRequest('bad-option', `parameter ${quote(name)} invalid`)
  return [name, value]
}

function bounded(max: number): Reader {
  return (value) => (Buffer.byteLength(value) > max ? undefined : value)
}

/** `direct` on this route is echoed but pinned recursively (state.go keeps only the depth). */
function mode(value: string): string | undefined {
  return value === 'recursive' ? value : undefined
}

/** Stored and unused for pins; ctl sends 0. */
function onlyZero(value: string): string | undefined {
  return value === '0' ? '' : undefined
}

function replication(value: string): string | undefined {
  const number = Number(value)
  return /^-?\d{1,4}$/.test(value) && (number === -1 || number > 0) ? String(number) : undefined
}

/** What the cluster would refuse later, as a 500. */
function checkReplication(options: ReadonlyMap<string, string>): void {
  if (options.has('replication')) return
  const min = Number(options.get('replication-min') ?? 0)
  const max = Number(options.get('replication-max') ?? 0)
  const mixed = (min === -1) !== (max === -1) && min !== 0 && max !== 0
  if (mixed || (max > 0 && min > max)) {
    throw new BadRequest('bad-option', 'replication-min is larger than replication-max')
  }
}

function list(max: number, isValid: (item: string) => boolean): Reader {
  return (value) => {
    const items = value.split(',')
    return items.length <= max && items.every(isValid) ? value : undefined
  }
}

const rfc3339 =
  /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/
/** Go cannot write a later year as JSON: the pin would spoil every listing that it is in. */
const expireAtMsMax = Date.UTC(10_000, 0)

/** RFC 3339 with a zone, in the future: the cluster answers a past time with 500. */
function expireAt(value: string): string | undefined {
  const date = rfc3339.exec(value)?.[1]
  const atMs = Date.parse(value)
  if (date === undefined || Number.isNaN(atMs) || atMs >= expireAtMsMax) return undefined
  // Date.parse makes the 2nd of March of the 30th of February; Go does not.
  if (new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10) !== date) return undefined
  if (atMs <= Date.now()) throw new BadRequest('bad-option', 'expire-at is in the past')
  return value
}

const unitNs = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }
/** Go reads longer fractions and rounds them its own way. */
const durationPart = /(?=\.?\d)(\d*)\.?(\d{0,9})(ns|us|µs|μs|ms|s|m|h)/gy
/** Go counts in 63 bits; a millisecond less makes up for what a double cannot tell apart. */
const durationNsMax = 2 ** 63 - 2 ** 20

/** A Go duration (`72h`, `1h30m`; no days), at least one second. */
function expireIn(value: string): string | undefined {
  let durationNs = 0
  let end = 0
  for (const [part, whole = '', fraction = '', unit = ''] of value.matchAll(durationPart)) {
    const unitOfPartNs = unitNs[unit as keyof typeof unitNs]
    // Like Go, which drops what is below a nanosecond of each part.
    durationNs += Number(whole) * unitOfPartNs + Math.floor(Number(`0.${fraction}`) * unitOfPartNs)
    end += part.length
  }
  if (end !== value.length || durationNs >= durationNsMax) return undefined
  if (durationNs < 1e9) throw new BadRequest('bad-option', 'expire-in duration too short')
  return value
}
