/** Locks among gates that share a store. */

export interface GateLocks {
  /**
   * Waits for the lock among all gates. While the store is down, a change continues without it,
   * unless the settings refuse that.
   * @param token of the change, which other gates see while it may land: no lease that it makes has
   *   a later number
   * @throws LockTimeout when it takes longer; StoreFault where the settings refuse
   */
  acquire(cid: string, timeoutMs: number, token: string): Promise<GateLock>
  /** Calls back when locks may have been lost. */
  whenDown(call: () => void): void
  /** Calls back when rows that were stored with the locks are gone. */
  whenLost(call: OnLost): void
  /**
   * Asked before repairs unpin what came back: all gates have one budget.
   * @returns whether it has room for all of the CIDs; one that was unpinned before takes no room
   * @throws StoreFault: that is not known
   */
  spend(budget: UnpinBudget, cids: readonly string[]): Promise<boolean>
  /** Stops its timers. */
  close(): void
}

/** @param cid another gate wrote this pin, and had not heard of the row; undefined: any may be */
export type OnLost = (cid?: string) => void

/** What repairs may unpin without an operator. */
export interface UnpinBudget {
  readonly name: string
  /** Most CIDs within the time, which begins with the first of them. */
  readonly max: number
  readonly withinMs: number
}

export interface GateLock {
  /** False: the change continues without the lock, and other gates may change the pin meanwhile. */
  readonly isTaken: boolean
  /** The last write of another gate, if recent. */
  readonly written: string | undefined
  /**
   * Changes of other gates that may still land after their locks ended, by the tokens of their
   * leases; by any other text if an older release made them.
   */
  readonly open: readonly string[]
  /**
   * @param written this gate's write, for the others; undefined: none
   * @param isOver nothing of the change lands any more
   * @param mark a part of it that later rows have, unless the store loses this one; absent: none
   */
  readonly release: (written: string | undefined, isOver: boolean, mark?: string) => Promise<Crowd>
}

/** Whether the change was exclusive. */
export type Crowd =
  | 'alone'
  /** A change of another gate may still land. */
  | 'crowded'
  /** The lock was lost, or never had: another gate may have written at the same time. */
  | 'unknown'
