/** Until when something may take: handed on as it is, so that steps never add up their limits. */

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
