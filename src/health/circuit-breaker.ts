/** A circuit breaker: decides from answers, faults and checks whether a service may be asked. */
import type { Timers } from '../time/clock.js'

/** `half-open`: the service was down, and a few requests find out whether it really is back. */
export type HealthState = 'up' | 'down' | 'half-open'

export interface HealthChange<Reason extends string> {
  readonly state: HealthState
  /** Why the service is down. */
  readonly reason?: Reason | 'health-check' | undefined
  /** How long a service that is up again was down. */
  readonly downMs?: number | undefined
}

export interface CircuitBreakerParts<Reason extends string> extends Timers {
  /** How often the service is checked while it answers no request. */
  readonly intervalMs: number
  /** This many faults in a row open the circuit; after a failed check, one is enough. */
  readonly failuresMax: number
  /** How long a service that came back gets less than its share. */
  readonly slowStartMs: number
  readonly check: () => Promise<boolean>
  readonly onChange: (change: HealthChange<Reason>) => void
}

/** Delay before a down service is checked again; it doubles after each half-open failure. */
const retryMsMin = 1000
const retryMsMax = 8000

/** Requests in flight at once while half-open. */
const halfOpenMax = 8

/** The smallest weight: that of a service that just came back. */
const weightMin = 0.1

/** @typeParam Reason words for the faults of the service */
export class CircuitBreaker<Reason extends string> {
  private current: HealthState = 'up'
  /** Counts the changes of state: a request that began before one proves nothing after it. */
  private generation = 0
  private failuresInRow = 0
  private checksFailed = 0
  private halfOpenRequests = 0
  private halfOpenFailures = 0
  private lastSuccessAt = -Infinity
  private upSince = -Infinity
  private downSince = 0
  private downReason: Reason | 'health-check' | undefined
  private isChecking = false
  private isClosed = false
  private cancelCheck = (): void => undefined
  private readonly startedAt: number

  constructor(private readonly parts: CircuitBreakerParts<Reason>) {
    this.startedAt = this.parts.monotonic()
    this.scheduleCheck()
  }

  get state(): HealthState {
    return this.current
  }

  /** How long the state has lasted; `half-open` continues the time of `down`. */
  get stateMs(): number {
    const { current, startedAt, upSince, downSince } = this
    return this.parts.monotonic() - (current === 'up' ? Math.max(startedAt, upSince) : downSince)
  }

  /** Why the service is not up. */
  get reason(): Reason | 'health-check' | undefined {
    return this.current === 'up' ? undefined : this.downReason
  }

  /** Whether the service may be asked now. */
  get isAvailable(): boolean {
    const { current } = this
    return current === 'up' || (current === 'half-open' && this.halfOpenRequests < halfOpenMax)
  }

  /** The service's share of the work, 0.1 to 1: caches are cold after its return. */
  get weight(): number {
    const { slowStartMs } = this.parts
    const upMs = this.parts.monotonic() - this.upSince
    return upMs >= slowStartMs ? 1 : Math.max(weightMin, upMs / slowStartMs)
  }

  /** Counts a request as begun. @returns the generation, for the call that records its end */
  begin(): number {
    if (this.current === 'half-open') this.halfOpenRequests++
    return this.generation
  }

  recordSuccess(): void {
    this.failuresInRow = 0
    this.lastSuccessAt = this.parts.monotonic()
    if (this.current === 'half-open') this.goUp()
  }

  recordFailure(generation: number, reason: Reason): void {
    if (generation !== this.generation) return
    this.failuresInRow++
    if (this.current === 'half-open') this.goDown(reason, true)
    else if (this.failuresInRow >= this.parts.failuresMax) this.goDown(reason, false)
    else this.requestCheck(generation)
  }

  /** The client gave up its request, which says nothing about the service. */
  recordAbandoned(generation: number): void {
    if (generation === this.generation && this.current === 'half-open') this.halfOpenRequests--
  }

  /** The request does not tell whether the service has a fault: a check finds out at once. */
  requestCheck(generation: number): void {
    this.recordAbandoned(generation)
    if (generation === this.generation && this.current !== 'down') void this.check()
  }

  /** Ends the checks. */
  close(): void {
    this.isClosed = true
    this.cancelCheck()
  }

  private scheduleCheck(ms = this.parts.intervalMs): void {
    this.cancelCheck()
    if (this.isClosed) return
    this.cancelCheck = this.parts.setTimer(ms, () => {
      // An answer is as good as a check.
      const hasAnswered = this.parts.monotonic() - this.lastSuccessAt < this.parts.intervalMs
      if (this.current === 'up' && hasAnswered) this.scheduleCheck()
      else void this.check()
    })
  }

  private async check(): Promise<void> {
    if (this.isChecking) return
    this.isChecking = true
    const { generation } = this
    const isHealthy = await this.parts.check().catch(() => false)
    this.isChecking = false
    if (this.isClosed) return
    if (generation !== this.generation) this.onStaleCheck()
    else if (isHealthy) this.onCheckPassed()
    else this.onCheckFailed()
  }

  /** The result is out of date; and the next check may have come due meanwhile. */
  private onStaleCheck(): void {
    this.scheduleCheck(this.current === 'down' ? this.retryMs : this.parts.intervalMs)
  }

  private onCheckPassed(): void {
    this.checksFailed = 0
    if (this.current === 'down') {
      this.become('half-open')
      this.halfOpenRequests = 0
      this.parts.onChange({ state: 'half-open' })
      this.scheduleCheck(retryMsMin)
      return
    }
    // No request came within a check's interval: the check alone decides.
    if (this.current === 'half-open' && this.halfOpenRequests === 0) this.goUp()
    this.scheduleCheck()
  }

  private onCheckFailed(): void {
    if (this.current === 'half-open') this.goDown('health-check', true)
    else if (this.current === 'down') this.scheduleCheck(this.retryMs)
    else if (++this.checksFailed >= 2 || this.failuresInRow > 0) this.goDown('health-check', false)
    // One failed check may be an accident; the second follows at once.
    else void this.check()
  }

  private goDown(reason: Reason | 'health-check', wasHalfOpen: boolean): void {
    this.halfOpenFailures = wasHalfOpen ? this.halfOpenFailures + 1 : 0
    if (!wasHalfOpen) this.downSince = this.parts.monotonic()
    this.downReason = reason
    this.become('down')
    this.parts.onChange({ state: 'down', reason })
    this.scheduleCheck(this.retryMs)
  }

  private goUp(): void {
    this.become('up')
    this.failuresInRow = 0
    this.upSince = this.parts.monotonic()
    this.parts.onChange({ state: 'up', downMs: this.parts.monotonic() - this.downSince })
  }

  private become(state: HealthState): void {
    this.current = state
    this.generation++
  }

  private get retryMs(): number {
    return Math.min(retryMsMax, retryMsMin * 2 ** this.halfOpenFailures)
  }
}
