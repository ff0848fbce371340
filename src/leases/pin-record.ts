/** The cluster's record of a pin, and the request that writes one. */
import { badAnswer, isObject, readObject } from '../cluster/json.js'
import { encodeQuery, type Parameter, queryBytesMax } from '../cluster/query.js'
import { type Lease, leaseEntry, type LeaseKind, readLease, wholeSeconds } from './lease.js'

export interface PinRecord {
  readonly cid: string
  /** Only `pin` is one that clients make. */
  readonly type: string
  readonly isDirect: boolean
  /** Everything but the mode, the expiry and the gate's entries. */
  readonly options: readonly Parameter[]
  /** Infinity: never. */
  readonly expiresMs: number
  readonly leases: readonly Lease[]
  /** Holders before the soft delete; empty for a pin that is held. */
  readonly former: readonly Lease[]
  /** When it was last written, by the cluster's clock; to the second when read back. */
  readonly writtenMs: number
}

/** The parts of a record. */
export interface NewRecord {
  readonly cid: string
  readonly isDirect: boolean
  readonly options: readonly Parameter[]
  readonly expiresMs: number
  readonly leases: readonly Lease[]
  readonly former?: readonly Lease[]
}

/** A POST without a body. */
export interface Writing {
  readonly path: string
  /** Without `?`. */
  readonly query: string
}

/**
 * The query that writes a record; a direct pin needs the path route, the only one that obeys it.
 */
export function writing(record: NewRecord): Writing {
  const { cid, isDirect } = record
  let query = queryOf(record)
  // The last lease, which this write makes, keeps its tokens for as long as there is room.
  for (let count = 1; query.length > queryBytesMax && count < 2 * record.leases.length; count *= 2)
    query = queryOf(withoutReplaced(record, count))
  return { path: isDirect ? `/pins/ipfs/${cid}` : `/pins/${cid}`, query }
}

const queryOf = ({ isDirect, options, expiresMs, leases, former = [] }: NewRecord): string =>
  encodeQuery([
    ...options,
    ...(isDirect ? [['mode', 'direct'] as const] : []),
    ...(expiresMs === Infinity ? [] : [['expire-at', wholeSeconds(expiresMs)] as const]),
    ...leases.map((lease) => asOption(lease, 'lease')),
    ...former.map((lease) => asOption(lease, 'former')),
  ])

/** Another holder is worth more than the tokens of other gates in the first leases. */
const withoutReplaced = (record: NewRecord, count: number): NewRecord => ({
  ...record,
  leases: record.leases.map((lease, at) => (at < count ? { ...lease, replaces: [] } : lease)),
})

function asOption(lease: Lease, kind: LeaseKind): Parameter {
  const [key, value] = leaseEntry(lease, kind)
  return [`meta-${key}`, value]
}

/** What the cluster answers to POST, DELETE and `GET /allocations/{cid}`. */
interface PinJson {
  readonly cid: string
  readonly type: string
  readonly name: string
  readonly mode: string
  readonly replication_factor_min: number
  readonly replication_factor_max: number
  readonly shard_size: number
  readonly expire_at: string
  readonly metadata: Readonly<Record<string, string>> | null
  readonly origins: readonly string[] | null
  readonly timestamp: string
}

/** @throws ClusterFault when it is not a record of a pin */
export function readPinRecord(text: string): PinRecord {
  const json: Partial<PinJson> = readObject(text)
  if (!isPin(json)) throw badAnswer('no record of a pin')
  return pinRecordOf(json)
}

/**
 * Accepts only what may be written back: a repair must not write what the gate did not understand.
 */
const isPin = (json: Partial<PinJson>): json is PinJson =>
  typeof json.cid === 'string' &&
  typeof json.type === 'string' &&
  typeof json.name === 'string' &&
  typeof json.mode === 'string' &&
  [json.replication_factor_min, json.replication_factor_max, json.shard_size].every(isInteger) &&
  isTime(json.expire_at) &&
  isTime(json.timestamp) &&
  (json.metadata === null || (isObject(json.metadata) && areTexts(Object.values(json.metadata)))) &&
  (json.origins === null || (Array.isArray(json.origins) && areTexts(json.origins)))

const isInteger = (value: unknown): boolean => Number.isSafeInteger(value)
const isTime = (value: unknown): boolean =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value))
const areTexts = (values: readonly unknown[]): boolean =>
  values.every((value) => typeof value === 'string')

/** Reads one line of `/allocations`. */
function pinRecordOf(json: PinJson): PinRecord {
  const entries = Object.entries(json.metadata ?? {})
  const held = entries.map(([key, value]) => readLease(key, value))
  const kept = entries.filter((_, index) => held[index] === undefined)
  const of = (kind: LeaseKind) =>
    held.flatMap((entry) => (entry?.kind === kind ? [entry.lease] : []))
  return {
    cid: json.cid,
    type: json.type,
    isDirect: json.mode === 'direct',
    options: optionsOf(json, kept),
    expiresMs: expiryOf(json.expire_at),
    leases: of('lease'),
    former: of('former'),
    writtenMs: Date.parse(json.timestamp),
  }
}

/**
 * The record lacks the peers that the client asked for; where they still fit, the cluster keeps
 * them.
 */
function optionsOf(json: PinJson, metadata: readonly Parameter[]): Parameter[] {
  const {
    name,
    replication_factor_min: min,
    replication_factor_max: max,
    shard_size,
    origins,
  } = json
  return [
    ...(name === '' ? [] : [['name', name] as const]),
    ['replication-min', String(min)],
    ['replication-max', String(max)],
    ...(shard_size > 0 ? [['shard-size', String(shard_size)] as const] : []),
    ...metadata.map(([key, value]) => [`meta-${key}`, value] as const),
    ...(origins === null || origins.length === 0 ? [] : [['origins', origins.join(',')] as const]),
  ]
}

/** Go's zero time, of the year 1, means no time. */
function expiryOf(text: string): number {
  const ms = Date.parse(text)
  return ms < 0 ? Infinity : ms
}
