/** Rounds of the same work, one after the other: each says when the next one is due. */
import type { Later } from './later.js'

export interface RoundsParts {
  /** @returns milliseconds to the next one; undefined: none, until somebody hurries */
  readonly round: () => Promise<number | undefined>
  readonly now: () => number
  readonly later: Later
}

export class Rounds {
  private dueAt = Infinity
  private isRunning = false
  private isClosed = false
  private cancel = (): void => undefined

  constructor(private readonly parts: RoundsParts) {}

  /** There is one within so long; of one under way, after it. */
  hurry(ms: number): void {
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
    this.cancel = this.parts.later(ms, () => void this.run())
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
