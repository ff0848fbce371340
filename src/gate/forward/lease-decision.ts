/** What becomes of one pin or unpin, with all that has to be asked of the cluster for it. */
import type { RequestHeaders } from '../../http/headers.js'
import {
  type Caller,
  decidePin,
  type Decision,
  decideUnpin,
  isLetGo,
  letGo,
  type PinWish,
  unenforced,
  write,
} from '../../leases/decide.js'
import type { Ledger } from '../../leases/ledger.js'
import type { PinRecord } from '../../leases/pin-record.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { UpstreamCall } from '../plan.js'
import type { RequestRecord } from '../record/record.js'

/** Who decides, and what it may ask. */
export interface Deciding {
  readonly ledger: Ledger
  readonly encoder: Encoder
  /** For the cluster. */
  readonly headers: RequestHeaders
  readonly timeoutMs: number
}

export async function decideToPin(
  deciding: Deciding,
  pin: PinRecord | undefined,
  wish: PinWish,
): Promise<Decision> {
  const { encoder } = deciding
  const now = Date.now()
  const updated = await updating(deciding, wish)
  if (updated === undefined) return { kind: 'unknown' }
  const untilMs = Math.min(updated.untilMs, Math.ceil((now + encoder.retentionMs) / 1000) * 1000)
  return decidePin(pin, callerOf(encoder), { ...updated, untilMs }, now)
}

/**
 * `pin-update` copies another record, leases and all; so the copy is made here, without them. It
 * takes a name and an expiry of its own, as with the cluster. Undefined: there is no such record.
 */
async function updating(
  { ledger, headers, timeoutMs }: Deciding,
  wish: PinWish,
): Promise<PinWish | undefined> {
  const { cid, options, untilMs } = wish
  const source = options.find(([name]) => name === 'pin-update')?.[1]
  if (source === undefined || source === cid) return wish
  const record = await ledger.look(source, headers, timeoutMs)
  if (record === undefined || isLetGo(record)) return undefined
  const name = options.find(([option]) => option === 'name')
  const copied = record.options.filter(([option]) => name === undefined || option !== 'name')
  return {
    cid,
    options: [...(name === undefined ? [] : [name]), ...copied],
    untilMs: untilMs === Infinity ? record.expiresMs : untilMs,
  }
}

export async function decideToUnpin(
  { ledger, encoder, headers, timeoutMs }: Deciding,
  pin: PinRecord | undefined,
  record: RequestRecord,
): Promise<Decision> {
  const decision = unpinning(pin, encoder, record)
  const graceMs = record.snapshot.config.unpin.graceSeconds * 1000
  if (decision.kind !== 'unpin' || pin === undefined || graceMs === 0) return decision
  // What is not finished would be queued again by a POST.
  if (!(await ledger.isFinished(pin.cid, headers, timeoutMs))) return decision
  const kept = letGo(pin, decision.last, Date.now() + graceMs)
  return write(kept) ?? decision
}

function unpinning(pin: PinRecord | undefined, encoder: Encoder, record: RequestRecord): Decision {
  const now = Date.now()
  const { enforcement } = encoder
  const decision = decideUnpin(pin, callerOf(encoder), now)
  if (decision.kind !== 'refuse' || enforcement === 'enforce' || pin === undefined) return decision
  if (enforcement === 'observe') record.wouldRefuse = decision.reason
  return unenforced(pin, now)
}

/** Undefined: the cluster is not asked. */
export function callOf(decision: Decision, cid: string): UpstreamCall | undefined {
  switch (decision.kind) {
    case 'write':
      return { method: 'POST', cid, ...decision.request }
    case 'unpin':
      return { method: 'DELETE', cid, path: `/pins/${cid}`, query: '' }
    case 'keep':
      // The same answer as of an unpin: the pin as it was.
      return { method: 'GET', cid, path: `/allocations/${cid}`, query: '' }
    case 'unknown':
    case 'refuse':
      return undefined
  }
}

const callerOf = ({ leaseId, permissions }: Encoder): Caller => ({
  holder: leaseId,
  mayUnpinAny: permissions.has('unpin-any'),
})
