/** What is known of a change when it begins, under its lock. */
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface Opening {
  /** An older change of another gate may still land. */
  readonly isCrowded: boolean
  /** @see Merging */
  readonly newToken: string | undefined
}

/**
 * Numbers in the order of their use, taken before the lock, beside which the other gates see the
 * last: of a lease that what was written last joins, of one that the record joins, of the change.
 */
export const numbersOf = (storage: Pick<LedgerStorage, 'nextSeq'>) => ({
  heard: storage.nextSeq(),
  looked: storage.nextSeq(),
  change: storage.nextSeq(),
})
