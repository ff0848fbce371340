/** Turns that several gates take together, where they share a store. */

export interface SharedTurns {
  /**
   * Waits for the turn among all gates.
   *
   * @returns undefined: that cannot be had now, and another gate may change the pin meanwhile
   * @throws LockTimeout when it takes longer; StoreFault where the settings want it
   */
  take(cid: string, timeoutMs: number): Promise<SharedTurn | undefined>
  /** Calls when turns may have been lost. */
  whenDown(call: () => void): void
}

export interface SharedTurn {
  /** What another gate wrote last, if it did so lately. */
  readonly written: string | undefined
  /**
   * @param written what this gate wrote, for the others; undefined: nothing
   * @returns whether the turn was this gate's all the time
   */
  readonly end: (written: string | undefined) => Promise<boolean>
}
