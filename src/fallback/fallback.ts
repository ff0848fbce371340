/**
 * While the cluster is down, pins queued pins at another Kubo too: their source may be gone later.
 * That daemon was overloaded before there was a gate: it gets few pins at once and a rest when it
 * does not answer, and must not be the cluster's own.
 */
import { KeyedCounter } from '../collections/keyed-counter.js'
import { CircuitBreaker, type HealthChange } from '../health/circuit-breaker.js'
import type { Timers } from '../time/clock.js'
import { Scheduler } from '../time/scheduler.js'
import {
  type FallbackFaultReason,
  type FallbackReason,
  fallbackReasonOf,
  isOfDaemon,
} from './fallback-fault.js'
import type { Kubo } from './kubo.js'
import type { Logger } from '../log/logger.js'

export interface FallbackParts extends Timers {
  readonly kubo: Kubo
  readonly atOnceMax: number
  /** Whether the gate unpins its pins there once the cluster has them. */
  readonly release: boolean
  /**
   * Peer IDs of the cluster's Kubos; undefined: some are unknown.
   * @throws ClusterFault
   */
  readonly clusterKubos: () => Promise<ReadonlySet<string> | undefined>
  /** Whether the CID still waits for the cluster. */
  readonly isWaiting: (cid: string) => boolean
  /** For the log. */
  readonly log: Logger
}

export interface FallbackReport {
  readonly isAvailable: boolean
  readonly waiting: number
  readonly inProgress: number
  /** Since the start. */
  readonly pinned: number
  readonly failed: number
  readonly released: number
  /** Failed pins, by reason. */
  readonly faults: ReadonlyMap<FallbackReason, number>
}

/** Most pins remembered for a release; the oldest beyond that stay. */
const pinnedHereMax = 100_000

const roundMs = 1000
/** Delay before the next comparison with the cluster's Kubos. */
const compareMs = 10_000

const healthSettings = { intervalMs: 30_000, failuresMax: 3, slowStartMs: 0 }

export type Comparison = 'another' | 'the same' | 'unknown'

export class Fallback {
  private readonly waiting = new Set<string>()
  private readonly inProgress = new Map<string, AbortController>()
  /** Pins that the fallback did not have before. */
  private readonly pinnedHere = new Set<string>()
  /** Pins in progress that the cluster has meanwhile. */
  private readonly needless = new Set<string>()
  private readonly counts = { pinned: 0, failed: 0, released: 0 }
  private readonly faults = new KeyedCounter<FallbackReason>()
  private comparison: Comparison = 'unknown'
  private comparedAt = -Infinity
  private readonly health: CircuitBreaker<FallbackFaultReason>
  private readonly scheduler: Scheduler

  constructor(private readonly parts: FallbackParts) {
    const { kubo, monotonic, setTimer } = parts
    const check = () => kubo.isUp()
    const onChange = (change: HealthChange<FallbackFaultReason>) => {
      this.logChange(change)
    }
    this.health = new CircuitBreaker({ ...healthSettings, check, onChange, monotonic, setTimer })
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** Whether it is a Kubo of the cluster: then the gate never uses it. */
  async compare(): Promise<Comparison> {
    const { kubo, clusterKubos, monotonic } = this.parts
    this.comparedAt = monotonic()
    const [id, others] = await Promise.all([
      kubo.id().catch(() => undefined),
      // The cluster's endpoints already log that it is down.
      clusterKubos().catch(() => undefined),
    ])
    if (id === undefined) this.health.requestCheck(this.health.begin())
    if (id !== undefined && others !== undefined)
      this.comparison = others.has(id) ? 'the same' : 'another'
    return this.comparison
  }

  /** The cluster may be another one now. */
  forgetComparison(): void {
    this.comparison = 'unknown'
    this.comparedAt = -Infinity
    this.scheduler.runWithin(0)
  }

  /** Called when a pin enters the queue. */
  accepted(cid: string): void {
    if (this.pinnedHere.has(cid) || this.inProgress.has(cid)) return
    this.waiting.add(cid)
    this.scheduler.runWithin(0)
  }

  /** Called when the cluster has the pin. */
  async pinned(cid: string): Promise<void> {
    if (!this.parts.release) return
    if (this.inProgress.has(cid)) this.needless.add(cid)
    else if (this.pinnedHere.delete(cid)) await this.unpin(cid)
  }

  get report(): FallbackReport {
    const [waiting, inProgress] = [this.waiting.size, this.inProgress.size]
    const { isAvailable } = this.health
    return { isAvailable, waiting, inProgress, ...this.counts, faults: this.faults }
  }

  async close(): Promise<void> {
    this.scheduler.close()
    this.health.close()
    for (const ending of this.inProgress.values()) ending.abort()
    await this.parts.kubo.close()
  }

  private async round(): Promise<number | undefined> {
    const { atOnceMax, isWaiting, log, monotonic } = this.parts
    for (const cid of this.waiting) if (!isWaiting(cid)) this.waiting.delete(cid)
    if (this.waiting.size === 0 || this.comparison === 'the same') return undefined
    if (this.comparison === 'unknown' && monotonic() - this.comparedAt >= compareMs)
      if ((await this.compare()) === 'the same') log('error', {}, sameKubo)
    if (this.comparison !== 'another') return compareMs
    for (const cid of this.waiting) {
      if (this.inProgress.size >= atOnceMax || !this.health.isAvailable) break
      this.waiting.delete(cid)
      void this.make(cid)
    }
    return roundMs
  }

  private async make(cid: string): Promise<void> {
    const { kubo, log, monotonic } = this.parts
    const ending = new AbortController()
    this.inProgress.set(cid, ending)
    const generation = this.health.begin()
    const startMs = monotonic()
    try {
      const had = await kubo.hasPin(cid)
      if (had !== true) await kubo.pin(cid, ending.signal)
      this.health.recordSuccess()
      // If Kubo did not say whether it had the pin, the pin may not be the gate's: it stays.
      if (had === false) this.remember(cid)
      this.counts.pinned++
      log('info', { cid, durationMs: Math.round(monotonic() - startMs) }, 'pinned at the fallback')
    } catch (err) {
      if (ending.signal.aborted) return
      this.counts.failed++
      const reason = fallbackReasonOf(err)
      this.faults.add(reason)
      log('warn', { cid, reason, err }, 'could not pin at the fallback')
      this.failed(cid, generation, reason)
    } finally {
      this.inProgress.delete(cid)
      this.scheduler.runWithin(0)
    }
    if (this.needless.delete(cid) && this.pinnedHere.delete(cid)) await this.unpin(cid)
  }

  /** A daemon that refuses a pin, or finds no peer with it, is still healthy. */
  private failed(cid: string, generation: number, reason: FallbackReason): void {
    this.needless.delete(cid)
    if (!isOfDaemon(reason)) {
      this.health.recordSuccess()
      return
    }
    this.health.recordFailure(generation, reason)
    this.waiting.add(cid)
  }

  private remember(cid: string): void {
    if (!this.parts.release) return
    this.pinnedHere.add(cid)
    const [oldest] = this.pinnedHere
    if (this.pinnedHere.size > pinnedHereMax && oldest !== undefined) this.pinnedHere.delete(oldest)
  }

  private async unpin(cid: string): Promise<void> {
    const { kubo, log } = this.parts
    try {
      await kubo.unpin(cid)
      this.counts.released++
      log('info', { cid }, 'unpinned at the fallback; the cluster has the pin')
    } catch (err) {
      log('warn', { cid, reason: fallbackReasonOf(err), err }, notReleased)
    }
  }

  private logChange({ state, reason, downMs = 0 }: HealthChange<FallbackFaultReason>): void {
    const { log } = this.parts
    if (state === 'down') log('warn', { reason }, 'the fallback went down')
    if (state === 'up') log('info', { downMs: Math.round(downMs) }, 'the fallback came back')
  }
}

const notReleased = 'could not unpin at the fallback'

const sameKubo = 'the fallback proved to be a Kubo of the cluster; the gate never uses it'
