/** Counts requests by outcome and duration, in steps of time. */
import { KeyedCounter } from '../collections/keyed-counter.js'
import type { AccessLine } from '../log/access-line.js'

/**
 * The fields of an access line that are tallied. The duration of a listing says nothing about other
 * requests.
 */
export type CountedEnding = Pick<AccessLine, 'outcome' | 'reason' | 'durationMs' | 'listing'>

export class RequestTally {
  requests = 0
  refused = 0
  /** Faults of the cluster, and bugs of the gate. */
  failed = 0
  /** Pins that reached a terminal state. */
  pinned = 0
  pinsFailed = 0
  /** Number of refusals and failures by reason. */
  readonly reasons = new KeyedCounter()
  /** Durations of answers from the cluster, without listings. */
  readonly durations = new Durations()

  add({ outcome, reason, durationMs, listing }: CountedEnding): void {
    this.requests++
    if (outcome === 'answered') {
      if (listing === undefined) this.durations.add(durationMs)
      return
    }
    if (outcome === 'aborted' || outcome === 'journaled') return
    if (outcome === 'refused') this.refused++
    else this.failed++
    this.reasons.add(reason ?? outcome)
  }

  addAll(other: RequestTally): void {
    this.requests += other.requests
    this.refused += other.refused
    this.failed += other.failed
    this.pinned += other.pinned
    this.pinsFailed += other.pinsFailed
    for (const [word, count] of other.reasons) this.reasons.add(word, count)
    this.durations.addAll(other.durations)
  }

  clear(): void {
    this.requests = this.refused = this.failed = 0
    this.pinned = this.pinsFailed = 0
    this.reasons.clear()
    this.durations.clear()
  }
}

/**
 * Each bucket is 19 % longer than the one before, so a percentile is off by at most half of that.
 */
const bucketsPerOctave = 4
const firstMs = 0.25
/** Up to half an hour. */
const bucketCount = 23 * bucketsPerOctave

/** How long things took, in buckets of a fixed number. */
class Durations {
  private readonly buckets = new Uint32Array(bucketCount)
  private count = 0

  add(ms: number): void {
    const nearest = Math.round(Math.log2(ms / firstMs) * bucketsPerOctave)
    const bucket = Math.min(Math.max(nearest, 0), bucketCount - 1)
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
    this.count++
  }

  addAll(other: Durations): void {
    for (const [bucket, count] of other.buckets.entries())
      this.buckets[bucket] = (this.buckets[bucket] ?? 0) + count
    this.count += other.count
  }

  clear(): void {
    if (this.count > 0) this.buckets.fill(0)
    this.count = 0
  }

  /**
   * @param share such as 0.99
   * @returns milliseconds that this share of all requests took at most; null without requests
   */
  quantile(share: number): number | null {
    if (this.count === 0) return null
    let left = Math.ceil(share * this.count)
    const bucket = this.buckets.findIndex((count) => (left -= count) <= 0)
    const ms = firstMs * 2 ** (bucket / bucketsPerOctave)
    return Number(ms.toPrecision(2))
  }
}

/** The most recent steps of time, each with its tally; older ones are reused. */
export class Steps {
  private readonly steps: { readonly tally: RequestTally; number: number }[]

  constructor(
    readonly stepMs: number,
    readonly count: number,
  ) {
    this.steps = Array.from({ length: count }, () => ({ tally: new RequestTally(), number: -1 }))
  }

  /** The tally of the step that a time is in, in milliseconds. */
  at(timeMs: number): RequestTally {
    const number = Math.floor(timeMs / this.stepMs)
    const step = this.steps[number % this.count]
    if (step === undefined) throw new RangeError(`a time before the clock's beginning: ${timeMs}`)
    if (step.number !== number) {
      step.tally.clear()
      step.number = number
    }
    return step.tally
  }

  /** The tallies of the steps up to now, the oldest first; undefined where nothing came. */
  until(timeMs: number): (RequestTally | undefined)[] {
    const last = Math.floor(timeMs / this.stepMs)
    return Array.from({ length: this.count }, (_, index) => {
      const number = last - this.count + 1 + index
      const step = this.steps[number % this.count]
      return step?.number === number ? step.tally : undefined
    })
  }

  sum(timeMs: number): RequestTally {
    const sum = new RequestTally()
    for (const tally of this.until(timeMs)) if (tally !== undefined) sum.addAll(tally)
    return sum
  }
}
