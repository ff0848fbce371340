/** Locks that several gates take together, where they share a store. */

export interface GateLocks {
  /**
   * Waits for the lock among all gates. While the store is away a change goes on without it, unless
   * the settings refuse that.
   *
   * @throws LockTimeout when it takes longer; StoreFault where the settings want it
   */
  acquire(cid: string, timeoutMs: number): Promise<GateLock>
  /** Calls when locks may have been lost. */
  whenDown(call: () => void): void
  /** Ends its timers. */
  close(): void
}

export interface GateLock {
  /** False: the change goes on without it, and others may change the pin meanwhile. */
  readonly isTaken: boolean
  /** What another gate wrote last, if it did so lately. */
  readonly written: string | undefined
  /** Whether a change of another gate may still land: it ended without being over. */
  readonly isCrowded: boolean
  /**
   * @param written what this gate wrote, for the others; undefined: nothing
   * @param isOver nothing of the change lands any more
   */
  readonly release: (written: string | undefined, isOver: boolean) => Promise<Crowd>
}

/** Whether a change was made alone. */
export type Crowd =
  | 'alone'
  /** A change of another gate may still land. */
  | 'crowded'
  /** The lock was lost, or never had: another gate may have written at the same time. */
  | 'unknown'
