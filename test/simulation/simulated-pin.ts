/** A pin of the simulated cluster, written by a query and read in the real shapes of JSON. */

export interface SimulatedPin {
  readonly cid: string
  readonly name: string
  readonly isDirect: boolean
  readonly replicationMin: number
  readonly replicationMax: number
  /** Infinity: never. */
  readonly expiresMs: number
  readonly metadata: Readonly<Record<string, string>>
  readonly writtenMs: number
}

/** What the cluster does not take, in its words. */
export class Rejected extends Error {}

const never = '0001-01-01T00:00:00Z'

/** @throws Rejected */
export function pinOf(path: string, query: string, nowMs: number): SimulatedPin {
  const given = new Map<string, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const at = pair.indexOf('=')
    const name = decodeURIComponent(pair.slice(0, at))
    if (!given.has(name)) given.set(name, decodeURIComponent(pair.slice(at + 1)))
  }
  const expiry = given.get('expire-at')
  const expiresMs = expiry === undefined ? Infinity : Date.parse(expiry)
  if (Number.isNaN(expiresMs)) throw new Rejected('expire-at cannot be parsed')
  if (expiresMs < nowMs) throw new Rejected('pin.ExpireAt set before current time')
  const replicationMin = Number(given.get('replication-min') ?? -1)
  if (replicationMin > 1)
    throw new Rejected(
      `not enough peers to allocate CID. Needed at least: ${replicationMin}. ` +
        `Wanted at most: ${replicationMin}. Available candidates: 1. See logs for more info.`,
    )
  const metadata: Record<string, string> = {}
  for (const [name, value] of given)
    if (name.startsWith('meta-') && name.length > 5) metadata[name.slice(5)] = value
  return {
    cid: path.slice(path.lastIndexOf('/') + 1),
    name: given.get('name') ?? '',
    isDirect: path.startsWith('/pins/ipfs/') && given.get('mode') === 'direct',
    replicationMin,
    replicationMax: Number(given.get('replication-max') ?? -1),
    expiresMs,
    metadata,
    writtenMs: nowMs,
  }
}

const readTexts = new WeakMap<SimulatedPin, string>()

/** As `/allocations` and the answer of a DELETE have it: whole seconds. */
export function readText(pin: SimulatedPin): string {
  let text = readTexts.get(pin)
  if (text === undefined) readTexts.set(pin, (text = jsonOf(pin, `${secondOf(pin.writtenMs)}Z`)))
  return text
}

/** As the answer of a POST has it: nanoseconds. */
export const writtenText = (pin: SimulatedPin): string =>
  jsonOf(pin, `${new Date(pin.writtenMs).toISOString().slice(0, -1)}000123Z`)

const secondOf = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

function jsonOf(pin: SimulatedPin, timestamp: string): string {
  const hasMetadata = Object.keys(pin.metadata).length > 0
  return JSON.stringify({
    replication_factor_min: pin.replicationMin,
    replication_factor_max: pin.replicationMax,
    name: pin.name,
    mode: pin.isDirect ? 'direct' : 'recursive',
    shard_size: 0,
    user_allocations: null,
    expire_at: pin.expiresMs === Infinity ? never : `${secondOf(pin.expiresMs)}Z`,
    metadata: hasMetadata ? pin.metadata : null,
    pin_update: null,
    origins: [],
    cid: pin.cid,
    type: 'pin',
    allocations: [],
    max_depth: pin.isDirect ? 0 : -1,
    reference: null,
    timestamp,
  })
}
