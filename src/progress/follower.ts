/**
 * Follows pins until they are settled: a POST that was answered 200 is in the queue, no more. One
 * cheap question tells what is queued, and one by name what became of those that are not any more.
 */
import { ClusterFault } from '../cluster/faults.js'
import { type Later, later as timer } from '../time/later.js'
import { Followed, type PinNews } from './followed.js'
import { cidAtStart, readProgress, type Stage } from './reading.js'
import { Rounds } from '../time/rounds.js'
import { dayMs } from '../time/units.js'

export interface FollowerParts {
  /** Gives the status of each pin that is queued or being pinned, from the cluster's memory. */
  readonly readQueue: (take: (line: Buffer) => void) => Promise<void>
  /** Gives the status of these, for which the cluster asks Kubo. */
  readonly readStatus: (cids: readonly string[], take: (line: Buffer) => void) => Promise<void>
  readonly onNews: (news: PinNews) => void
  /** Of ours: faults of the cluster are its endpoints' to tell. */
  readonly onBug: (error: unknown) => void
  readonly now?: () => number
  readonly later?: Later
}

/** Beyond it, what is new is not followed, and whoever wants to wait is answered at once. */
const followedMax = 50_000
const waitersMax = 10_000

/** By name, in one round and in one question: each costs a lookup in Kubo. */
const namedMax = 500
const questionMax = 100

/** Between rounds: from the first after something new to the last while nothing happens. */
const waitMsMin = 1000
const waitMsMax = 30_000
/** While somebody waits. */
const waitMsMaxWaited = 3000
/** The cluster tries what failed again every 12 minutes. */
const failingMs = 120_000
/** A round that took long is one that the cluster has to pay for. */
const restPerRound = 10

/** With CRDT batching a pin is seen only once its batch is committed. */
const lagMsMax = 300_000
const givenUpMs = dayMs

export class Follower {
  private readonly followed = new Map<string, Followed>()
  private waiting = 0
  private waitMs = waitMsMin
  private readonly rounds: Rounds
  private readonly now: () => number
  private readonly later: Later

  constructor(private readonly parts: FollowerParts) {
    this.now = parts.now ?? (() => performance.now())
    this.later = parts.later ?? timer
    const round = () => this.round()
    this.rounds = new Rounds({ round, now: this.now, later: this.later })
  }

  /** The cluster accepted it. */
  accepted(cid: string, encoder: string): void {
    const pin = this.pinOf(cid)
    if (pin === undefined) return
    pin.accepted(encoder, this.now())
    this.hurry()
  }

  /** The encoder let go of it. */
  released(cid: string, encoder: string): void {
    const pin = this.followed.get(cid)
    if (pin === undefined) return
    this.tell(pin.news('unpinned', this.now(), '', encoder))
    pin.leave(encoder)
    pin.release()
    this.dropIfIdle(pin)
  }

  /**
   * Calls back once it is settled (pinned, failed, or not pinned at all), at the latest after so
   * long; at once where too many wait.
   *
   * @returns for whoever does not want to know any more
   */
  wait(cid: string, ms: number, done: () => void): () => void {
    const pin = this.waiting < waitersMax ? this.pinOf(cid) : undefined
    if (pin === undefined) {
      done()
      return () => undefined
    }
    const leave = (): void => {
      if (!pin.waiters.delete(end)) return
      this.waiting--
      cancel()
      this.dropIfIdle(pin)
    }
    const end = (): void => {
      leave()
      done()
    }
    const cancel = this.later(ms, end)
    pin.waiters.add(end)
    this.waiting++
    const isUnknown = pin.sinceMs === -Infinity && pin.askedAt === -Infinity
    pin.isUrgent ||= isUnknown || pin.isFailing
    if (pin.isUrgent) this.rounds.hurry(0)
    else this.hurry()
    return leave
  }

  /** Of each encoder, how many are not settled. */
  unsettled(): ReadonlyMap<string, Unsettled> {
    const counts = new Map<string, { pending: number; failing: number }>()
    for (const pin of this.followed.values())
      for (const encoder of pin.encoders) {
        let count = counts.get(encoder)
        if (count === undefined) counts.set(encoder, (count = { pending: 0, failing: 0 }))
        count[pin.isFailing ? 'failing' : 'pending']++
      }
    return counts
  }

  /** Whoever waits is answered. */
  close(): void {
    this.rounds.close()
    for (const pin of [...this.followed.values()]) pin.release()
    this.followed.clear()
  }

  private hurry(): void {
    this.waitMs = waitMsMin
    this.rounds.hurry(waitMsMin)
  }

  private pinOf(cid: string): Followed | undefined {
    const known = this.followed.get(cid)
    if (known !== undefined || this.followed.size >= followedMax) return known
    const pin = new Followed(cid)
    this.followed.set(cid, pin)
    return pin
  }

  private dropIfIdle(pin: Followed): void {
    if (pin.isDropped) this.followed.delete(pin.cid)
  }

  /** @returns milliseconds to the next one */
  private async round(): Promise<number | undefined> {
    const startMs = this.now()
    this.giveUp(startMs)
    // What is accepted from here on may not be in the queue yet when that is read.
    const pins = [...this.followed.values()]
    const before = this.followed.size
    try {
      const queued = await this.queued(pins)
      const due = pins.filter((pin) => this.isDue(pin, queued, startMs))
      due.sort((one, other) => one.askedAt - other.askedAt)
      await this.askFor(due.slice(0, namedMax).map(({ cid }) => cid))
      const isMoving = due.length > namedMax || this.followed.size < before
      this.waitMs = isMoving ? waitMsMin : this.waitMs * 1.5
    } catch (error) {
      if (!(error instanceof ClusterFault)) this.parts.onBug(error)
      this.waitMs *= 2
    }
    this.waitMs = Math.min(this.waitMs, this.waiting > 0 ? waitMsMaxWaited : waitMsMax)
    return this.untilNext(this.now() - startMs)
  }

  private untilNext(roundMs: number): number | undefined {
    if (this.followed.size === 0) return undefined
    const isPending = [...this.followed.values()].some(({ isFailing }) => !isFailing)
    return Math.max(isPending ? this.waitMs : failingMs, roundMs * restPerRound)
  }

  private async queued(pins: readonly Followed[]): Promise<ReadonlySet<string>> {
    const queued = new Set<string>()
    if (pins.every(({ isFailing, isUrgent }) => isFailing || isUrgent)) return queued
    await this.parts.readQueue((line) => {
      const cid = cidAtStart(line)
      if (cid !== undefined && this.followed.has(cid)) queued.add(cid)
    })
    return queued
  }

  private isDue(pin: Followed, queued: ReadonlySet<string>, nowMs: number): boolean {
    if (pin.isUrgent) return true
    if (pin.isFailing) return nowMs - pin.askedAt >= failingMs
    return !queued.has(pin.cid)
  }

  private async askFor(cids: readonly string[]): Promise<void> {
    for (let from = 0; from < cids.length; from += questionMax) {
      const some = cids.slice(from, from + questionMax)
      for (const cid of some) {
        const pin = this.followed.get(cid)
        if (pin === undefined) continue
        pin.askedAt = this.now()
        pin.isUrgent = false
      }
      await this.parts.readStatus(some, (line) => {
        const { cid, stage, error } = readProgress(line)
        const pin = this.followed.get(cid)
        if (pin !== undefined) this.take(pin, stage, error)
      })
    }
  }

  private take(pin: Followed, stage: Stage, error: string): void {
    const now = this.now()
    if (stage === 'pending') return
    if (stage === 'unpinned' && now - pin.sinceMs < lagMsMax) return
    if (stage === 'failed') {
      if (!pin.isFailing) this.tell(pin.news('failed', now, error))
      pin.isFailing = true
      pin.release()
      return
    }
    const result = stage === 'pinned' && pin.isFailing ? 'recovered' : stage
    this.tell(pin.news(result, now))
    this.followed.delete(pin.cid)
    pin.release()
  }

  private giveUp(nowMs: number): void {
    for (const pin of this.followed.values()) {
      if (pin.sinceMs === -Infinity || nowMs - pin.sinceMs < givenUpMs) continue
      this.tell(pin.news('given-up', nowMs))
      this.followed.delete(pin.cid)
      pin.release()
    }
  }

  private tell(news: readonly PinNews[]): void {
    for (const piece of news) this.parts.onNews(piece)
  }
}

export interface Unsettled {
  /** Queued, or being pinned. */
  readonly pending: number
  /** In error; the cluster tries again. */
  readonly failing: number
}
