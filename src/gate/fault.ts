/** Faults behind the gate: which part an error comes from, and its reason. */
import { ClusterFault, faultOf } from '../cluster/faults.js'
import { LockTimeout } from '../ledger/cid-locks.js'
import { LedgerFault } from '../ledger/storage/ledger-storage.js'
import { StoreFault, type StoreFaultReason } from '../store/store-fault.js'
import type { UpstreamFaultReason } from './refusals.js'

/** The exact problem, with the HTTP client's own error if there is one. */
export interface FoundFault {
  readonly reason: UpstreamFaultReason
  readonly cause: Error | undefined
}

/** @param error of the gate or of the HTTP client; another one may wrap it */
export function faultIn(error: Error): FoundFault {
  if (error instanceof LockTimeout) return { reason: error.reason, cause: undefined }
  const ledgerFault = error instanceof LedgerFault ? error : error.cause
  if (ledgerFault instanceof LedgerFault) return { reason: ledgerFault.reason, cause: ledgerFault }
  const { reason, cause } = isStoreFault(error)
    ? error
    : faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  return { reason, cause: cause instanceof Error ? cause : undefined }
}

/**
 * Whether a change failed because of the cluster, the pin's lock or the ledger: it may be repeated.
 */
export const isFaultOfChange = (
  error: unknown,
): error is ClusterFault | LockTimeout | LedgerFault =>
  error instanceof ClusterFault || error instanceof LockTimeout || error instanceof LedgerFault

/** Whether the store failed this request; a request that did not ask it is refused instead. */
export const isStoreFault = (
  error: unknown,
): error is StoreFault & { readonly reason: StoreFaultReason } =>
  error instanceof StoreFault && error.reason !== 'store-unavailable'
