/** Schedules rounds of the same work, never two at once: each says when the next one is due. */
import type { SetTimer } from './set-timer.js'

export interface SchedulerParts {
  /** @returns milliseconds to the next one; undefined: none before {@link Scheduler.runWithin} */
  readonly round: () => Promise<number | undefined>
  readonly now: () => number
  readonly setTimer: SetTimer
}

export class Scheduler {
  private dueAt = Infinity
  private isRunning = false
  private isClosed = false
  private cancel = (): void => undefined

  constructor(private readonly parts: SchedulerParts) {}

  /** Runs a round within so many milliseconds; a round under way ends first. */
  runWithin(ms: number): void {
    const at = this.parts.now() + ms
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
    const ms = Math.max(0, this.dueAt - this.parts.now())
    this.cancel = this.parts.setTimer(ms, () => void this.run())
  }

  private async run(): Promise<void> {
    this.dueAt = Infinity
    this.isRunning = true
    const ms = await this.parts.round()
    this.isRunning = false
    if (this.isClosed) return
    if (ms !== undefined) this.dueAt = Math.min(this.dueAt, this.parts.now() + ms)
    if (this.dueAt < Infinity) this.set()
  }
}
