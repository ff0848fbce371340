/**
 * Tracks pins until they reach a terminal state: a POST that was answered 200 is in the queue, no
 * more. One cheap request reads the queue; another reads the state of all other pins by name.
 */
import { ClusterFault } from '../cluster/faults.js'
import { KeyedCounter } from '../collections/keyed-counter.js'
import type { Timers } from '../time/clock.js'
import { type PendingPins, type PinEvent, TrackedPin } from './tracked-pin.js'
import { cidAtStart, statusIn, type StatusLine } from './status-line.js'
import { Scheduler } from '../time/scheduler.js'
import { dayMs } from '../time/units.js'

export interface PinTrackerParts extends Timers {
  /** Gives the status of each pin that is queued or being pinned, from the cluster's memory. */
  readonly readQueue: (take: (line: Buffer) => void) => Promise<void>
  /** Gives the status of these, for which the cluster asks Kubo. */
  readonly readStatus: (cids: readonly string[], take: (line: Buffer) => void) => Promise<void>
  readonly onEvent: (event: PinEvent) => void
  /** An error of the gate itself, or an unreadable answer. */
  readonly onError: (error: unknown) => void
}

/**
 * Most tracked pins. Beyond it, only an encoder with fewer pins than another one gets a place; a
 * request that would wait gets its answer immediately. An encoder leaves a share of the waiting
 * requests to others.
 */
const trackedMax = 50_000
const waitersMax = 10_000

/** CIDs in one round and in one request: each costs a lookup in Kubo. */
const namedMax = 500
const questionMax = 100
/**
 * How long a round waits for its requests by name. One that hangs continues beside the next rounds,
 * so many at a time.
 */
const patienceMs = 1000
const askingMax = 4

/** Between rounds: short after a change, longer while nothing happens. */
const waitMsMin = 1000
const waitMsMax = 30_000
/** Between rounds while a request waits for its answer. */
const waitMsMinWaited = 125
const waitMsMaxWaited = 3000
/** The cluster retries failed pins every 12 minutes. */
const failingMs = 120_000
/** A slow round costs the cluster much, so the next one comes later. */
const restPerRound = 10

/** With CRDT batching a pin is seen only once its batch is committed. */
const lagMsMax = 300_000
const givenUpMs = dayMs

export class PinTracker {
  private readonly tracked = new Map<string, TrackedPin>()
  private waiting = 0
  private asking = 0
  private isClosed = false
  /** What met a bound: waits that were answered at once, pins that are not tracked. */
  readonly figures = { waitsCut: 0, untracked: 0 }
  private readonly waitingOf = new KeyedCounter()
  /** Pins in the share of each encoder. */
  private readonly shares = new Map<string, Set<TrackedPin>>()
  private lastFullAt = -Infinity
  private waitMs = waitMsMin
  private readonly scheduler: Scheduler

  constructor(private readonly parts: PinTrackerParts) {
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** Called when the cluster accepted a pin. @param leaseMs until the encoder's lease ends */
  accepted(cid: string, encoder: string, leaseMs = Infinity): void {
    const pin = this.pinOf(cid, encoder)
    if (pin === undefined) {
      this.figures.untracked++
      return
    }
    if (pin.owner === undefined) this.putInShare(pin, encoder)
    pin.accepted(encoder, this.parts.monotonic(), leaseMs)
    this.readSoon()
  }

  /** Called when the encoder unpinned a pin, or its lease ended. */
  released(cid: string, encoder: string): void {
    const pin = this.tracked.get(cid)
    if (pin === undefined) return
    this.emit(pin.events('unpinned', this.parts.monotonic(), '', encoder))
    pin.leave(encoder)
    pin.release()
    this.dropIfIdle(pin)
  }

  /**
   * Calls back once the pin is in a terminal state (pinned, failed, or not pinned at all), or after
   * the time limit; immediately if too many requests wait, or the daemon stops.
   * @param owner encoder of the request; undefined: it has no share of its own
   * @returns stops the wait
   */
  wait(cid: string, ms: number, done: () => void, owner?: string): () => void {
    const left = waitersMax - this.waiting
    const hasRoom =
      left > 0 && !this.isClosed && (owner === undefined || this.waitingOf.of(owner) < left)
    const pin = hasRoom ? this.pinOf(cid, owner) : undefined
    if (pin === undefined) {
      if (!this.isClosed) this.figures.waitsCut++
      done()
      return () => undefined
    }
    const leave = (): void => {
      if (!pin.waiters.includes(end)) return
      pin.waiters = pin.waiters.filter((waiter) => waiter !== end)
      this.waiting--
      if (owner !== undefined) this.waitingOf.add(owner, -1)
      cancel()
      this.dropIfIdle(pin)
    }
    const end = (): void => {
      leave()
      done()
    }
    const cancel = this.parts.setTimer(ms, end)
    pin.waiters = [...pin.waiters, end]
    this.waiting++
    if (owner !== undefined) this.waitingOf.add(owner)
    const isUnknown = pin.sinceMs === -Infinity && pin.askedAt === -Infinity
    pin.isUrgent ||= isUnknown || pin.isFailing
    this.waitMs = Math.min(this.waitMs, waitMsMinWaited)
    this.scheduler.runWithin(0)
    return leave
  }

  /** Pending pins of each encoder: those that have not reached a terminal state, nor expired. */
  pendingPins(): ReadonlyMap<string, PendingPins> {
    const nowMs = this.parts.monotonic()
    const counts = new Map<string, { pending: number; failing: number }>()
    for (const pin of this.tracked.values())
      for (const encoder of pin.encodersAt(nowMs, false)) {
        let count = counts.get(encoder)
        if (count === undefined) counts.set(encoder, (count = { pending: 0, failing: 0 }))
        count[pin.isFailing ? 'failing' : 'pending']++
      }
    return counts
  }

  /** Calls every waiting request back. */
  close(): void {
    this.isClosed = true
    this.scheduler.close()
    for (const pin of [...this.tracked.values()]) pin.release()
    this.tracked.clear()
    this.shares.clear()
  }

  private readSoon(): void {
    this.waitMs = waitMsMin
    this.scheduler.runWithin(waitMsMin)
  }

  private pinOf(cid: string, owner: string | undefined): TrackedPin | undefined {
    const known = this.tracked.get(cid)
    if (known !== undefined) return known
    if (this.tracked.size >= trackedMax && !this.makesRoom(owner)) return undefined
    const pin = new TrackedPin(cid)
    this.tracked.set(cid, pin)
    return pin
  }

  private putInShare(pin: TrackedPin, owner: string): void {
    pin.owner = owner
    const share = this.shares.get(owner) ?? new Set()
    this.shares.set(owner, share.add(pin))
  }

  /** The encoder with the most pins loses one, for an encoder with fewer. */
  private makesRoom(owner: string | undefined): boolean {
    let largest: ReadonlySet<TrackedPin> = new Set()
    for (const share of this.shares.values()) if (share.size > largest.size) largest = share
    const own = owner === undefined ? 0 : (this.shares.get(owner)?.size ?? 0)
    const [oldest] = largest
    if (oldest === undefined || largest.size <= own + 1) return false
    this.forget(oldest)
    this.figures.untracked++
    oldest.release()
    return true
  }

  private dropIfIdle(pin: TrackedPin): void {
    if (pin.isDropped) this.forget(pin)
  }

  private forget(pin: TrackedPin): void {
    this.tracked.delete(pin.cid)
    const { owner } = pin
    const share = owner === undefined ? undefined : this.shares.get(owner)
    if (owner !== undefined && share?.delete(pin) === true && share.size === 0)
      this.shares.delete(owner)
  }

  /** @returns milliseconds to the next one */
  private async round(): Promise<number | undefined> {
    const startMs = this.parts.monotonic()
    this.giveUp(startMs)
    // Pins that are accepted from here on may be missing in the queue that is read now.
    const pins = this.pinsOfRound(startMs)
    const before = this.tracked.size
    let roundMs = 0
    try {
      const queued = await this.queued(pins)
      roundMs = this.parts.monotonic() - startMs
      const due = pins.filter((pin) => this.isDue(pin, queued, startMs))
      due.sort((one, other) => one.askedAt - other.askedAt)
      if (await this.askSoon(due.slice(0, namedMax))) roundMs = this.parts.monotonic() - startMs
      const isMoving = due.length > namedMax || this.tracked.size < before
      const leastMs = this.waiting > 0 ? waitMsMinWaited : waitMsMin
      const factor = this.waiting > 0 ? 2 : 1.5
      this.waitMs = isMoving ? leastMs : Math.max(this.waitMs * factor, leastMs)
    } catch (error) {
      this.report(error)
      this.waitMs *= 2
    }
    this.waitMs = Math.min(this.waitMs, this.waiting > 0 ? waitMsMaxWaited : waitMsMax)
    return this.untilNext(roundMs)
  }

  private report(error: unknown): void {
    if (!(error instanceof ClusterFault && isNoticed(error))) this.parts.onError(error)
  }

  /** @returns whether all were answered in time; if not, they continue beside the next rounds */
  private async askSoon(pins: readonly TrackedPin[]): Promise<boolean> {
    if (pins.length === 0) return true
    if (this.asking >= askingMax) return false
    let isLate = false
    const asked = this.askFor(pins).catch((error: unknown) => {
      if (!isLate) throw error
      this.report(error)
    })
    return new Promise<boolean>((resolve, reject) => {
      const cancel = this.parts.setTimer(patienceMs, () => {
        isLate = true
        resolve(false)
      })
      asked
        .then(() => {
          resolve(true)
        }, reject)
        .finally(cancel)
    })
  }

  /** Between full rounds, it looks only at pins that a request waits for. */
  private pinsOfRound(nowMs: number): TrackedPin[] {
    const all = [...this.tracked.values()]
    if (this.waiting > 0 && nowMs - this.lastFullAt < waitMsMin)
      return all.filter((pin) => pin.waiters.length > 0)
    this.lastFullAt = nowMs
    return all
  }

  private untilNext(roundMs: number): number | undefined {
    if (this.tracked.size === 0) return undefined
    const isPending = [...this.tracked.values()].some(({ isFailing }) => !isFailing)
    return Math.max(isPending ? this.waitMs : failingMs, roundMs * restPerRound)
  }

  private async queued(pins: readonly TrackedPin[]): Promise<ReadonlySet<string>> {
    const queued = new Set<string>()
    if (pins.every(({ isFailing, isUrgent }) => isFailing || isUrgent)) return queued
    await this.parts.readQueue((line) => {
      const cid = cidAtStart(line)
      if (cid !== undefined && this.tracked.has(cid)) queued.add(cid)
    })
    return queued
  }

  private isDue(pin: TrackedPin, queued: ReadonlySet<string>, nowMs: number): boolean {
    if (pin.isAsked) return false
    if (pin.isUrgent) return true
    if (pin.isFailing) return nowMs - pin.askedAt >= failingMs
    return !queued.has(pin.cid)
  }

  private async askFor(pins: readonly TrackedPin[]): Promise<void> {
    this.asking++
    for (const pin of pins) pin.isAsked = true
    try {
      for (let from = 0; from < pins.length; from += questionMax) {
        const some = pins.slice(from, from + questionMax).filter(({ cid }) => this.tracked.has(cid))
        for (const pin of some) {
          pin.askedAt = this.parts.monotonic()
          pin.isUrgent = false
        }
        await this.parts.readStatus(
          some.map(({ cid }) => cid),
          (line) => {
            const status = statusIn(line)
            const pin = this.tracked.get(status?.cid ?? '')
            if (pin !== undefined && status !== undefined) this.take(pin, status)
          },
        )
      }
    } finally {
      for (const pin of pins) pin.isAsked = false
      this.asking--
    }
  }

  private take(pin: TrackedPin, { stage, error }: StatusLine): void {
    const now = this.parts.monotonic()
    if (stage === 'pending') return
    if (stage === 'unpinned' && now - pin.sinceMs < lagMsMax) return
    if (stage === 'failed') {
      if (!pin.isFailing) this.emit(pin.events('failed', now, error))
      pin.isFailing = true
      pin.release()
      return
    }
    const result = stage === 'pinned' && pin.isFailing ? 'recovered' : stage
    this.emit(pin.events(result, now))
    this.forget(pin)
    pin.release()
  }

  private giveUp(nowMs: number): void {
    for (const pin of this.tracked.values()) {
      for (const encoder of pin.encodersAt(nowMs, true)) this.released(pin.cid, encoder)
      if (pin.sinceMs === -Infinity || nowMs - pin.sinceMs < givenUpMs) continue
      this.emit(pin.events('given-up', nowMs))
      this.forget(pin)
      pin.release()
    }
  }

  private emit(events: readonly PinEvent[]): void {
    for (const event of events)
      try {
        this.parts.onEvent(event)
      } catch (error) {
        // A listener failed; neither the cluster's answer nor the request has a fault.
        this.parts.onError(error)
      }
  }
}

/** Endpoints notice the other faults, and the log has them from there. */
const isNoticed = ({ reason }: ClusterFault): boolean =>
  reason !== 'cluster-bad-answer' && reason !== 'cluster-error'
