/** Schedules rounds of the same work, never two at once: each says when the next one is due. */
import type { Timers } from './clock.js'

export class Scheduler {
  private dueAt = Infinity
  private isRunning = false
  private isClosed = false
  private cancel = (): void => undefined

  /** @param round returns milliseconds to the next one; undefined: none before {@link runWithin} */
  constructor(
    private readonly round: () => Promise<number | undefined>,
    private readonly clock: Timers,
  ) {}

  /** Runs a round within this many milliseconds; a running round ends first. */
  runWithin(ms: number): void {
    const at = this.clock.monotonic() + ms
    if (this.isClosed || at >= this.dueAt) return
    this.dueAt = at
    if (!this.isRunning) this.set()
  }

  close(): void {
    this.isClosed = true
    this.cancel()
  }

  private set(): void {
    this.cancel()
    const ms = Math.max(0, this.dueAt - this.clock.monotonic())
    this.cancel = this.clock.setTimer(ms, () => void this.run())
  }

  private async run(): Promise<void> {
    this.dueAt = Infinity
    this.isRunning = true
    const ms = await this.round()
    this.isRunning = false
    if (this.isClosed) return
    if (ms !== undefined) this.dueAt = Math.min(this.dueAt, this.clock.monotonic() + ms)
    if (this.dueAt < Infinity) this.set()
  }
}
