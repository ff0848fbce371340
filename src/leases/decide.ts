/** Ownership rules: what becomes of a pin when an encoder pins or unpins it. No I/O. */
import { encodeQuery, type Parameter, queryBytesMax } from '../cluster/query.js'
import { type Lease, latestEnd, operator, replacedBy, tokensOf } from './lease.js'
import { type NewRecord, type PinRecord, type Writing, writing } from './pin-record.js'

/** The caller. */
export interface Caller {
  /** The id of the caller's leases. */
  readonly holder: string
  /** Whether the caller may unpin what others hold. */
  readonly mayUnpinAny: boolean
}

export interface PinRequest {
  readonly cid: string
  /** Without expiry. */
  readonly options: readonly Parameter[]
  /** Until when the caller wants the pin; Infinity: forever. */
  readonly untilMs: number
}

export type Refused = 'not-owner' | 'too-many-holders' | 'not-a-plain-pin' | 'options-too-long'

export type Decision =
  /** The record is to be written. */
  | { readonly kind: 'write'; readonly record: NewRecord; readonly request: Writing }
  /** The pin is to be unpinned, as it has no holder; `last` are the previous holders. */
  | { readonly kind: 'unpin'; readonly last: readonly Lease[] }
  /** Nothing to change, and nothing to refuse. */
  | { readonly kind: 'keep' }
  /** For encoders the pin does not exist. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refuse'; readonly reason: Refused }

/** Most leases of one pin: one more would not fit into a request. */
const holdersMax = 48

/** Name, metadata and options leave room for this many holders, each of at most this size. */
const holdersMin = 16
const leaseBytesMax = 100
const ownBytesMax = queryBytesMax - holdersMin * leaseBytesMax

/** Whether the options leave too little room for other holders, who take them as they are. */
export const areTooLong = (options: readonly Parameter[]): boolean =>
  encodeQuery(options).length > ownBytesMax

/** The time of a change, and the token of the leases that it writes. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  readonly token: string
  /** Tokens of other gates, and of a take-down, which the lease comes after in any case. */
  readonly after?: readonly string[]
}

/** A POST: adds or renews the caller's lease, and does not affect the others. */
export function decidePin(
  record: PinRecord | undefined,
  { holder }: Caller,
  asked: PinRequest,
  { nowMs, token, after = [] }: Moment,
): Decision {
  if (record !== undefined && record.type !== 'pin') return refuse('not-a-plain-pin')
  const { cid, options, untilMs } = asked
  const leases = record === undefined ? [] : liveLeases(record, nowMs)
  const own = leases.find((lease) => lease.holder === holder)
  // The operator's hold of a pin without leases becomes a lease.
  const others = leases
    .filter((lease) => lease !== own)
    .map((lease) => (record?.leases.includes(lease) === true ? lease : { ...lease, token }))
  const replaces = replacedBy(token, [...(own === undefined ? [] : tokensOf(own)), ...after])
  const lease = {
    ...{ holder, sinceMs: own?.sinceMs ?? inSeconds(nowMs), untilMs, token },
    ...(replaces.length > 0 && { replaces }),
  }
  const all = [...others, lease]
  const written: NewRecord = {
    cid,
    // A POST pins the whole graph; a holder of only its root loses nothing.
    isDirect: false,
    options: record === undefined || others.length === 0 ? options : record.options,
    expiresMs: latestEnd(all),
    leases: all,
  }
  if (all.length > holdersMax) return refuse('too-many-holders')
  if (others.length === 0 && areTooLong(options)) return refuse('options-too-long')
  return write(written) ?? refuse('too-many-holders')
}

/** Undefined: it does not fit into a request. */
export function write(record: NewRecord): Decision | undefined {
  const request = writing(record)
  return request.query.length > queryBytesMax ? undefined : { kind: 'write', record, request }
}

/** A pin without a holder that is kept for a grace, with its former holders. */
export const softDelete = (
  { cid, isDirect, options }: PinRecord,
  former: readonly Lease[],
  expiresMs: number,
): NewRecord => ({ cid, isDirect, options, expiresMs, leases: [], former })

/** A DELETE: the caller releases its lease; the pin goes with its last holder. */
export function decideUnpin(
  record: PinRecord | undefined,
  { holder, mayUnpinAny }: Caller,
  now: number,
): Decision {
  // The cluster's own words for an unknown pin.
  if (record === undefined) return { kind: 'unpin', last: [] }
  if (isSoftDeleted(record)) return { kind: 'unknown' }
  const leases = liveLeases(record, now)
  if (mayUnpinAny) return { kind: 'unpin', last: leases }
  const others = leases.filter((lease) => lease.holder !== holder)
  if (!record.leases.some((lease) => lease.holder === holder)) return refuse('not-owner')
  if (others.length === 0) return { kind: 'unpin', last: leases }
  const { cid, isDirect, options } = record
  const expiresMs = latestEnd(others)
  const left = write({ cid, isDirect, options, expiresMs, leases: others })
  // One lease less always fits.
  return left ?? refuse('too-many-holders')
}

/** Replaces a refusal that is not enforced: the request passes, and harms no lease. */
export function unenforced(record: PinRecord, now: number): Decision {
  const explicit = record.leases.filter(({ untilMs }) => untilMs > now)
  return explicit.length > 0 ? { kind: 'keep' } : { kind: 'unpin', last: liveLeases(record, now) }
}

/** Whether the pin is only kept for a grace: encoders do not see it. */
export const isSoftDeleted = ({ leases, former }: Pick<PinRecord, 'leases' | 'former'>): boolean =>
  leases.length === 0 && former.length > 0

/** Whether no gate wrote it. */
export const isUnheld = ({ leases, former }: PinRecord): boolean =>
  leases.length === 0 && former.length === 0

/** A pin without leases is the operator's until it expires. */
export function liveLeases(record: PinRecord, now: number): readonly Lease[] {
  const { leases, former, writtenMs, expiresMs } = record
  if (leases.length > 0) return leases.filter(({ untilMs }) => untilMs > now)
  if (former.length > 0 || expiresMs <= now) return []
  return [{ holder: operator, sinceMs: inSeconds(writtenMs), untilMs: expiresMs }]
}

const refuse = (reason: Refused): Decision => ({ kind: 'refuse', reason })

/** Leases begin at whole seconds. */
export const inSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000
