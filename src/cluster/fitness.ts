/** Whether an endpoint is fit to be asked: a circuit breaker, fed by answers, faults and checks. */
import { type Later, later } from '../time/later.js'
import type { FaultReason } from './faults.js'

/** `trial`: it was down, and a few requests find out whether it really is back. */
export type State = 'up' | 'down' | 'trial'

export interface Verdict {
  readonly state: State
  /** Why it is down. */
  readonly reason?: FaultReason | 'health-check' | undefined
  /** Of one that is up again: how long it was not. */
  readonly downMs?: number | undefined
}

export interface FitnessParts {
  /** How often it is checked while nothing else is heard of it. */
  readonly intervalMs: number
  /** So many faults in a row take it out; beside a failed check, one is enough. */
  readonly failuresMax: number
  /** How long after it came back it gets less than its share. */
  readonly slowStartMs: number
  readonly check: () => Promise<boolean>
  readonly onChange: (verdict: Verdict) => void
  /** Milliseconds of any beginning. */
  readonly now?: () => number
  readonly later?: Later
}

/** Of one that is down, until it is checked again; twice as long after each trial that failed. */
const retryMs = 1000
const retryMsMax = 8000

/** Requests under way at once in a trial. */
const trialsMax = 8

/** Of its share, at the beginning. */
const slowest = 0.1

export class Fitness {
  private current: State = 'up'
  /** Counts the changes of state: what began before one says nothing of what is after it. */
  private era = 0
  private streak = 0
  private checksFailed = 0
  private trials = 0
  private trialsFailed = 0
  private answeredAt = -Infinity
  private upSince = -Infinity
  private downSince = 0
  private isChecking = false
  private isClosed = false
  private cancelCheck = (): void => undefined
  private readonly now: () => number
  private readonly later: Later

  constructor(private readonly parts: FitnessParts) {
    this.now = parts.now ?? (() => performance.now())
    this.later = parts.later ?? later
    this.checkLater()
  }

  get state(): State {
    return this.current
  }

  /** Whether it may be asked now. */
  get isFit(): boolean {
    return this.current === 'up' || (this.current === 'trial' && this.trials < trialsMax)
  }

  /** Its share of the work, 0.1 to 1: one that just came back has cold caches and a backlog. */
  get share(): number {
    const { slowStartMs } = this.parts
    const upMs = this.now() - this.upSince
    return upMs >= slowStartMs ? 1 : Math.max(slowest, upMs / slowStartMs)
  }

  /** @returns what is to be handed in again with what became of it */
  began(): number {
    if (this.current === 'trial') this.trials++
    return this.era
  }

  answered(): void {
    this.streak = 0
    this.answeredAt = this.now()
    if (this.current === 'trial') this.comeUp()
  }

  failed(era: number, reason: FaultReason): void {
    if (era !== this.era) return
    this.streak++
    if (this.current === 'trial') this.goDown(reason, true)
    else if (this.streak >= this.parts.failuresMax) this.goDown(reason, false)
    else this.suspected(era)
  }

  /** It was given up by whoever asked. */
  abandoned(era: number): void {
    if (era === this.era && this.current === 'trial') this.trials--
  }

  /** Something may be wrong with it: it is checked at once. */
  suspected(era: number): void {
    this.abandoned(era)
    if (era === this.era && this.current !== 'down') void this.look()
  }

  close(): void {
    this.isClosed = true
    this.cancelCheck()
  }

  private checkLater(ms = this.parts.intervalMs): void {
    this.cancelCheck()
    if (this.isClosed) return
    this.cancelCheck = this.later(ms, () => {
      // An answer is as good as a check.
      const isHeardOf = this.now() - this.answeredAt < this.parts.intervalMs
      if (this.current === 'up' && isHeardOf) this.checkLater()
      else void this.look()
    })
  }

  private async look(): Promise<void> {
    if (this.isChecking) return
    this.isChecking = true
    const { era } = this
    const isWell = await this.parts.check().catch(() => false)
    this.isChecking = false
    if (this.isClosed) return
    if (era !== this.era) this.seenTooLate()
    else if (isWell) this.seenWell()
    else this.seenIll()
  }

  /** What was found says nothing of now; and the check's time may have come while it was made. */
  private seenTooLate(): void {
    this.checkLater(this.current === 'down' ? this.pauseMs : this.parts.intervalMs)
  }

  private seenWell(): void {
    this.checksFailed = 0
    if (this.current === 'down') {
      this.become('trial')
      this.trials = 0
      this.parts.onChange({ state: 'trial' })
      this.checkLater(retryMs)
      return
    }
    // A whole check's time without a request: there is nothing to try.
    if (this.current === 'trial' && this.trials === 0) this.comeUp()
    this.checkLater()
  }

  private seenIll(): void {
    if (this.current === 'trial') this.goDown('health-check', true)
    else if (this.current === 'down') this.checkLater(this.pauseMs)
    else if (++this.checksFailed >= 2 || this.streak > 0) this.goDown('health-check', false)
    // Once is an accident; nobody waits a whole interval to know.
    else void this.look()
  }

  private goDown(reason: NonNullable<Verdict['reason']>, wasTrial: boolean): void {
    this.trialsFailed = wasTrial ? this.trialsFailed + 1 : 0
    if (!wasTrial) this.downSince = this.now()
    this.become('down')
    this.parts.onChange({ state: 'down', reason })
    this.checkLater(this.pauseMs)
  }

  private comeUp(): void {
    this.become('up')
    this.streak = 0
    this.upSince = this.now()
    this.parts.onChange({ state: 'up', downMs: this.now() - this.downSince })
  }

  private become(state: State): void {
    this.current = state
    this.era++
  }

  private get pauseMs(): number {
    return Math.min(retryMsMax, retryMs * 2 ** this.trialsFailed)
  }
}
