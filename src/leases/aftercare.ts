/**
 * The cluster's sweep lists what has expired, and unpins it later without looking again: a pin that
 * was renewed in between is gone all the same. So what was renewed that late is looked at again.
 */
import { type SetTimer, setTimer } from '../time/set-timer.js'
import type { Release } from './turns.js'
import type { PinRecord } from './pin-record.js'

/** A record that expires within it may be on a list already; clocks differ. */
const marginMs = 60_000

/** A sweep every five minutes, and the time that one takes. */
const afterSweepMs = [5000, 30_000, 120_000, 360_000]

/** Beyond it the oldest are no longer looked at. */
const watchedMax = 10_000

export const isNearSweep = (before: PinRecord | undefined, now: number): boolean =>
  before !== undefined && before.expiresMs < now + marginMs

export interface AftercareParts {
  /** Looks at a pin, and pins it again when it is gone; false: nobody holds it any more. */
  readonly restore: (cid: string) => Promise<boolean>
  readonly onError: (cid: string, error: unknown) => void
  readonly later?: SetTimer | undefined
  /** When it is looked at, from the start. */
  readonly lookAfterMs?: readonly number[]
}

export class Aftercare {
  private readonly watched = new Map<string, Release>()
  private readonly later: SetTimer
  private readonly lookAfterMs: readonly number[]

  constructor(private readonly parts: AftercareParts) {
    this.later = parts.later ?? setTimer
    this.lookAfterMs = parts.lookAfterMs ?? afterSweepMs
  }

  /** From the start, if it was being looked after already. */
  watch(cid: string): void {
    this.leave(cid)
    const [oldest] = this.watched.keys()
    if (oldest !== undefined && this.watched.size >= watchedMax) this.leave(oldest)
    this.lookAfter(cid, 0)
  }

  close(): void {
    for (const cid of this.watched.keys()) this.leave(cid)
  }

  private lookAfter(cid: string, index: number): void {
    const { lookAfterMs } = this
    const ms = lookAfterMs[index]
    if (ms === undefined) return
    const look = async (): Promise<void> => {
      this.watched.delete(cid)
      try {
        if (!(await this.parts.restore(cid))) return
      } catch (error) {
        this.parts.onError(cid, error)
      }
      // Somebody renewed it meanwhile: then it is looked after from the start.
      if (!this.watched.has(cid)) this.lookAfter(cid, index + 1)
    }
    this.watched.set(
      cid,
      this.later(ms - (lookAfterMs[index - 1] ?? 0), () => void look()),
    )
  }

  private leave(cid: string): void {
    this.watched.get(cid)?.()
    this.watched.delete(cid)
  }
}
