/** Answers for faults behind the gate: 502 to 504, in fixed sentences; the log knows more. */
import type { FastifyReply } from 'fastify'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import { LockTimeout } from '../ledger/lock-timeout.js'
import { LedgerFault } from '../ledger/storage/ledger-storage.js'
import { StoreFault, type StoreFaultReason } from '../store/store-fault.js'
import { answer } from './answer.js'
import { faults, type UpstreamFaultReason } from './refusals.js'
import { relayed } from './forward/relay.js'
import { recordOf } from './request.js'

import type { FoundFault } from './record/record.js'

/** @param error ours, or what the HTTP client and @fastify/reply-from made of it */
export function faultIn(error: Error): FoundFault {
  if (error instanceof LockTimeout) return { reason: error.reason, cause: undefined }
  const ledgerFault = error instanceof LedgerFault ? error : error.cause
  if (ledgerFault instanceof LedgerFault) return { reason: ledgerFault.reason, cause: ledgerFault }
  const { reason, cause } = isStoreFault(error)
    ? error
    : faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  return { reason, cause: cause instanceof Error ? cause : undefined }
}

/** Whether the change failed for the cluster, the pin's lock or the ledger: it may be repeated. */
export const isFaultOfChange = (
  error: unknown,
): error is ClusterFault | LockTimeout | LedgerFault =>
  error instanceof ClusterFault || error instanceof LockTimeout || error instanceof LedgerFault

/** Whether the store was asked and failed; a request that did not ask it is refused instead. */
export const isStoreFault = (
  error: unknown,
): error is StoreFault & { readonly reason: StoreFaultReason } =>
  error instanceof StoreFault && error.reason !== 'store-unavailable'

/** @param error see {@link faultIn} */
export function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const { reason, cause } = faultIn(error)
  const { status, message } = faults[reason]
  record.fault(reason, status, cause?.message)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', takesLonger(reason) ? 5 : 1)
  answer(reply, status, message)
}

const takesLonger = (reason: UpstreamFaultReason): boolean =>
  reason === 'cluster-down' || reason === 'ledger-unavailable' || reason.startsWith('store-')
