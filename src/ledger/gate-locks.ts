/** Locks that several gates take together, where they share a store. */

export interface GateLocks {
  /**
   * Waits for the lock among all gates.
   *
   * @returns undefined: that cannot be had now, and another gate may change the pin meanwhile
   * @throws LockTimeout when it takes longer; StoreFault where the settings want it
   */
  acquire(cid: string, timeoutMs: number): Promise<GateLock | undefined>
  /** Calls when locks may have been lost. */
  whenDown(call: () => void): void
}

export interface GateLock {
  /** What another gate wrote last, if it did so lately. */
  readonly written: string | undefined
  /**
   * @param written what this gate wrote, for the others; undefined: nothing
   * @returns whether the lock was this gate's all the time
   */
  readonly release: (written: string | undefined) => Promise<boolean>
}
