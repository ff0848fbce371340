/** The last hour as this process saw it: by encoder, by time, and the latest failures. */
import type { AccessLine } from '../log/access-line.js'
import type { PinEvent } from '../tracking/tracked-pin.js'
import { hourMs } from '../time/units.js'
import { type CountedEnding, Steps } from './tally.js'

/** Fields of the access line that the activity uses. */
export type Ended = CountedEnding &
  Pick<AccessLine, 'id' | 'encoder' | 'client' | 'method' | 'path' | 'status' | 'upstreamStatus'>

/** A request that was refused, or failed. */
export interface ProblemRequest {
  /** By the clock of the activity. */
  readonly time: number
  readonly line: Ended
}

/** Refused and failed requests of one encoder, or of strangers, for one reason. */
export interface ProblemGroup {
  readonly encoder: string | undefined
  readonly reason: string
  /** By the clock of the activity. */
  last: number
  /** The latest first. */
  readonly latest: ProblemRequest[]
}

export interface EncoderActivity {
  /** By the clock of the activity. */
  lastSeen: number
  readonly steps: Steps
}

const seriesStepMs = 10_000
const encoderStepMs = 600_000

/** Most rows of the page; the metrics have the rest. */
export const encodersShownMax = 1024
/** With more active encoders, searching for each request would cost as much as the request. */
const forgetEveryMs = 100

/** Groups by encoder (or strangers) and reason. */
const groupsMax = 512
const latestMax = 10

/** Reading two clocks in a row takes less time than this. */
const clockStepMs = 50

const fine = new Set(['answered', 'journaled', 'aborted'])

/** Grows with authenticated encoders, up to a bound; never with strangers. */
export class Activity {
  readonly series = new Steps(seriesStepMs, hourMs / seriesStepMs)
  readonly encoders = new Map<string, EncoderActivity>()
  /** Requests without a credential, or with a wrong one. */
  readonly strangers = new Steps(encoderStepMs, hourMs / encoderStepMs)
  /** When the cluster last answered, and its last fault. */
  lastAnswered: number | undefined
  lastFault: ProblemRequest | undefined

  /** When counting began: the time before is unknown. */
  readonly startedAt: number
  private readonly groups = new Map<string, ProblemGroup>()
  private wallAheadMs = 0
  private forgotAt = -Infinity
  /** Requests of encoders without a place; only {@link series} shows them. */
  private readonly others = new Steps(encoderStepMs, hourMs / encoderStepMs)

  /** @param now a monotonic clock, in milliseconds */
  constructor(readonly now: () => number = () => performance.now()) {
    this.startedAt = now()
  }

  /**
   * Turns a time of the monotonic clock into one since the epoch. The result stays the same while
   * the wall clock is not set.
   */
  timeOf(steadyMs: number, wallNow: number): number {
    const aheadMs = wallNow - this.now()
    if (Math.abs(aheadMs - this.wallAheadMs) > clockStepMs) this.wallAheadMs = aheadMs
    return Math.round(this.wallAheadMs + steadyMs)
  }

  observe(line: Ended): void {
    // A load balancer checks every second; its requests would fill the page.
    if (line.outcome === 'checked') return
    const time = this.now()
    this.series.at(time).add(line)
    this.stepsOf(line.encoder, time).at(time).add(line)
    if (line.upstreamStatus !== undefined) this.lastAnswered = time
    if (fine.has(line.outcome)) return
    const problem = { time, line }
    this.note(problem)
    if (line.reason?.startsWith('cluster-') === true) this.lastFault = problem
  }

  /** The outcome of a pin, long after its request. */
  pinEvent({ encoder, result }: PinEvent): void {
    const time = this.now()
    for (const tally of [this.series.at(time), this.encoders.get(encoder)?.steps.at(time)]) {
      if (tally === undefined) continue
      if (result === 'failed') tally.pinsFailed++
      else if (result === 'pinned' || result === 'recovered') tally.pinned++
    }
  }

  /** Those of the last hour, the latest first. */
  problems(): ProblemGroup[] {
    const from = this.now() - hourMs
    return [...this.groups.values()]
      .filter(({ last }) => last > from)
      .sort((one, other) => other.last - one.last)
  }

  private note(problem: ProblemRequest): void {
    const { encoder, outcome, reason = outcome } = problem.line
    const key = `${encoder ?? ''} ${reason}`
    let group = this.groups.get(key)
    if (group === undefined) {
      if (this.groups.size >= groupsMax) this.forgetGroup()
      this.groups.set(key, (group = { encoder, reason, last: problem.time, latest: [] }))
    }
    group.last = problem.time
    if (group.latest.unshift(problem) > latestMax) group.latest.pop()
  }

  private forgetGroup(): void {
    const [oldest] = [...this.groups].reduce((one, other) =>
      other[1].last < one[1].last ? other : one,
    )
    this.groups.delete(oldest)
  }

  private stepsOf(encoder: string | undefined, time: number): Steps {
    if (encoder === undefined) return this.strangers
    let activity = this.encoders.get(encoder)
    if (activity === undefined) {
      if (this.encoders.size >= encodersShownMax) {
        if (time - this.forgotAt < forgetEveryMs) return this.others
        this.forgotAt = time
        this.forgetOne()
      }
      const steps = new Steps(encoderStepMs, hourMs / encoderStepMs)
      this.encoders.set(encoder, (activity = { lastSeen: time, steps }))
    }
    activity.lastSeen = time
    return activity.steps
  }

  /** The encoder whose last request is the oldest. */
  private forgetOne(): void {
    const [oldest] = [...this.encoders].reduce((one, other) =>
      other[1].lastSeen < one[1].lastSeen ? other : one,
    )
    this.encoders.delete(oldest)
  }
}
