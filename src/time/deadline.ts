/**
 * When something has to be done: passed on unchanged, so that the time limits of steps never add
 * up.
 */

export class Deadline {
  private readonly endMs: number

  /** @param now a monotonic clock, in milliseconds */
  constructor(
    timeoutMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.endMs = now() + timeoutMs
  }

  /** What is left; 0 once it is over. */
  get leftMs(): number {
    return Math.max(0, this.endMs - this.now())
  }

  get isOver(): boolean {
    return this.leftMs === 0
  }
}
