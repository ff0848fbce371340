/** Decides one pin or unpin, with the requests to the cluster that this needs. */
import type { Parameter } from '../../cluster/query.js'
import type { RequestHeaders } from '../../http/headers.js'
import {
  type Caller,
  decidePin,
  type Decision,
  decideUnpin,
  isSoftDeleted,
  softDelete,
  type PinRequest,
  unenforced,
  write,
} from '../../leases/decide.js'
import type { NewRecord, PinRecord } from '../../leases/pin-record.js'
import type { Ledger } from '../../ledger/ledger.js'
import type { OpenPin } from '../../ledger/open-pin.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import { mayUnpinAny } from '../../settings/values/permissions.js'
import { mayAsk } from '../authorize/pin-options.js'
import type { UpstreamCall } from '../plan.js'
import type { RequestRecord } from '../record/record.js'
import type { Deadline } from '../../time/deadline.js'

/** The caller and its rights. */
export interface Deciding {
  readonly ledger: Pick<Ledger, 'isFinished' | 'look'>
  readonly encoder: Encoder
  /** For the cluster. */
  readonly headers: RequestHeaders
  readonly deadline: Deadline
}

/** The state of a pin at its decision. */
export type Known = Pick<OpenPin, 'record' | 'nowMs' | 'token' | 'after'>

export async function decideToPin(
  deciding: Deciding,
  { record, nowMs, token, after }: Known,
  asked: PinRequest,
): Promise<Decision> {
  const { encoder } = deciding
  const updated = await updating(deciding, asked)
  if (updated === undefined) return { kind: 'unknown' }
  const untilMs = withinRetention(updated.untilMs, encoder, nowMs)
  return decidePin(record, callerOf(encoder), { ...updated, untilMs }, { nowMs, token, after })
}

/** Retention bounds each lease of an encoder. */
export const withinRetention = (
  untilMs: number,
  { retentionMs }: Pick<Encoder, 'retentionMs'>,
  nowMs: number,
): number => Math.min(untilMs, Math.ceil((nowMs + retentionMs) / 1000) * 1000)

/**
 * `pin-update` would copy another record with its leases, so the gate makes the copy, without them.
 * The copy has its own name and expiry, as with the cluster, and no option that the encoder may not
 * use. Undefined: there is no such record.
 */
async function updating(
  { ledger, encoder, headers, deadline }: Deciding,
  asked: PinRequest,
): Promise<PinRequest | undefined> {
  const { cid, options, untilMs } = asked
  const source = options.find(([name]) => name === 'pin-update')?.[1]
  if (source === undefined || source === cid) return asked
  const { record } = await ledger.look(source, deadline, headers)
  if (record === undefined || isSoftDeleted(record)) return undefined
  const name = options.find(([option]) => option === 'name')
  const isGranted = ([option]: Parameter): boolean =>
    encoder.enforcement !== 'enforce' || mayAsk(option, encoder.options)
  const copied = record.options.filter(
    (option) => isGranted(option) && (name === undefined || option[0] !== 'name'),
  )
  return {
    cid,
    options: [...(name === undefined ? [] : [name]), ...copied],
    untilMs: untilMs === Infinity ? record.expiresMs : untilMs,
  }
}

export async function decideToUnpin(
  { ledger, encoder, headers, deadline }: Deciding,
  known: Known,
  request: Unpinning,
): Promise<Decision> {
  const decision = unpinning(known, encoder, request)
  const { record, nowMs } = known
  const graceMs = request.snapshot.config.unpin.graceSeconds * 1000
  if (decision.kind !== 'unpin' || record === undefined || graceMs === 0) return decision
  // The caller's lease has expired: no former holder needs a grace period.
  if (decision.last.length === 0) return decision
  // A POST would queue an unfinished pin again.
  const finished = await ledger.isFinished(record.cid, deadline, headers)
  if (finished === 'unfinished') return decision
  const kept = softDelete(record, decision.last, nowMs + graceMs)
  return write(kept) ?? decision
}

/** The parts of a request that decide how to unpin, and what the ledger notes of it. */
export type Unpinning = Pick<RequestRecord, 'snapshot' | 'wouldRefuse'>

function unpinning({ record, nowMs }: Known, encoder: Encoder, request: Unpinning): Decision {
  const { enforcement } = encoder
  const decision = decideUnpin(record, callerOf(encoder), nowMs)
  if (decision.kind !== 'refuse' || enforcement === 'enforce' || record === undefined)
    return decision
  if (enforcement === 'observe') request.wouldRefuse = decision.reason
  return unenforced(record, nowMs)
}

export const isHeldBy = (pin: PinRecord | undefined, { leaseId }: Encoder): boolean =>
  pin?.leases.some(({ holder }) => holder === leaseId) === true

/** When the encoder's lease ends; Infinity: never, or it has none. */
export const leaseEnd = (pin: NewRecord | undefined, { leaseId }: Encoder): number =>
  pin?.leases.find(({ holder }) => holder === leaseId)?.untilMs ?? Infinity

/** Undefined: no request to the cluster. */
export function callOf(decision: Decision, cid: string): UpstreamCall | undefined {
  switch (decision.kind) {
    case 'write':
      return { method: 'POST', cid, ...decision.request }
    case 'unpin':
      return { method: 'DELETE', cid, path: `/pins/${cid}`, query: '' }
    case 'keep':
      // The answer of an unpin: the pin as it was.
      return { method: 'GET', cid, path: `/allocations/${cid}`, query: '' }
    case 'unknown':
    case 'refuse':
      return undefined
  }
}

const callerOf = (encoder: Encoder): Caller => ({
  holder: encoder.leaseId,
  mayUnpinAny: mayUnpinAny(encoder),
})
