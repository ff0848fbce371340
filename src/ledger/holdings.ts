/** The leases of each holder, as the ledger knows them. */
import { type Lease, leasePrefix } from '../leases/lease.js'
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Clock } from '../time/clock.js'
import { hourMs } from '../time/units.js'
import type { ClusterPort } from './cluster-port.js'
import type { Owes } from './merge.js'
import type { QueueRequest } from './queue-entry.js'
import { type Place, Places } from './quota-places.js'
import {
  LedgerFault,
  type LedgerStorage,
  type OnLostWrite,
  type Undecided,
} from './storage/ledger-storage.js'

export interface HoldingsParts extends Clock {
  readonly storage: Pick<
    LedgerStorage,
    'commit' | 'compare' | 'contents' | 'count' | 'countNow' | 'held' | 'row'
  >
  readonly cluster: Pick<ClusterPort, 'readState' | 'isAvailable'>
  /** Which leases the rows owe. */
  readonly owes: Owes
  /** Whether a walk is open, or has to wait for the cluster: until then, nothing is missing. */
  readonly isWalking: () => boolean
  /** Hears what other gates released until now. @returns false: one of them does not answer */
  readonly hearAll: () => Promise<boolean>
  readonly isDoubted: (cid: string) => boolean
  /** Interval between comparisons with the cluster's whole state. */
  readonly intervalMs: number
  /**
   * Called with the numbers of rows that are missing in the cluster, or were released and are there
   * again, though no crash can explain it.
   */
  readonly onReported: (missing: number, unexpected: number) => void
  readonly onLostWrite: OnLostWrite
  readonly log: Logger
}

/** Delay after a failed comparison, or while the disk is not writable. */
const retryMs = 10_000

/** While no comparison can begin: so long, at most, after it could. */
const waitMs = 1000

const lateMs = hourMs

/**
 * How long an operator's request waits for a walk, and how often it checks whether that has ended.
 */
const walkMsMax = 60_000
const lookMs = 250

/** Lines per batch. */
const batchLines = 256

interface Held {
  readonly leases: readonly Lease[]
}

const nothingLeft: Undecided = { missing: 0, unexpected: 0, waitMs: 0 }

const marker = Buffer.from(`"${leasePrefix}`)

export class Holdings {
  private comparedMs: number | undefined
  private comparing: Promise<boolean> | undefined
  private isWanted = false
  /** Since when comparisons have failed though the cluster is up, by the monotonic clock. */
  private failingMs: number | undefined
  private left: Undecided = nothingLeft
  /** Until when {@link left} is news, by the monotonic clock. */
  private leftUntilMs = -Infinity
  /** Whether a second comparison follows the last one. */
  private isFollowed = false
  /** For pins whose leases the storage does not count, or not yet. */
  readonly places: Places
  /** By CID: places of writes with an unknown outcome. */
  private readonly doubted = new Map<string, Map<string, Place>>()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: HoldingsParts) {
    this.comparedMs = parts.storage.contents.comparedMs
    this.places = new Places(parts.now)
    this.scheduler = new Scheduler(async () => {
      const hasToWait = parts.isWalking()
      const isDone = !hasToWait && (await this.compare())
      const isFine = isDone || !parts.cluster.isAvailable()
      this.failingMs = isFine ? undefined : (this.failingMs ?? parts.monotonic())
      return isDone ? this.untilNext() : hasToWait ? waitMs : retryMs
    }, parts)
  }

  /** Time of the last comparison; undefined: never, so leases may be missing. */
  get since(): number | undefined {
    return this.comparedMs
  }

  /** Whether comparisons have failed for so long that an operator has to know. */
  get isLate(): boolean {
    return this.parts.monotonic() - (this.failingMs ?? Infinity) > lateMs
  }

  /**
   * Compares at each interval from the last comparison on, also if that was in an earlier run.
   * @param restMs not before this
   */
  start(restMs: number): void {
    const { intervalMs, now } = this.parts
    const ageMs = now() - (this.comparedMs ?? -Infinity)
    // The clock was wrong at a comparison that seems to come.
    this.scheduler.runWithin(ageMs < 0 ? restMs : Math.max(restMs, intervalMs - ageMs))
  }

  /** Starts a comparison if the last one is too old; no caller waits for it. */
  ensure(): void {
    if (this.isWanted) return
    this.isWanted = true
    this.start(0)
  }

  /** Compares within this time, as the cluster may have what the ledger does not know. */
  soon(withinMs = 0): void {
    this.scheduler.runWithin(withinMs)
  }

  /**
   * Compares now, or after the walk of a start.
   * @returns whether it ended well
   */
  async refresh(): Promise<boolean> {
    const { isWalking, monotonic, setTimer } = this.parts
    const endMs = monotonic() + walkMsMax
    while (isWalking() && monotonic() < endMs)
      await new Promise<void>((resolve) => setTimer(lookMs, resolve))
    const isCompared = await this.compare()
    if (this.isUndecided) this.scheduler.runWithin(this.undecided.waitMs)
    return isCompared
  }

  /**
   * Compares now, or waits for the comparison in progress.
   * @returns whether all leases are known then
   */
  async count(): Promise<boolean> {
    await this.compare()
    return this.comparedMs !== undefined
  }

  /** Includes all places: writes in progress, queued pins, unknown outcomes. */
  size(holder: string): number {
    return this.parts.storage.count(holder) + this.places.size(holder)
  }

  /** Leases on disk. */
  counted(holder: string): number {
    return this.parts.storage.count(holder)
  }

  /**
   * Resolves when the storage counts all rows of this moment, and no expired leases.
   * @throws LedgerFault if the disk is behind: then the count is unknown
   */
  async countNow(): Promise<void> {
    await this.parts.storage.commit([])
    await this.parts.storage.countNow()
  }

  /**
   * A pin was written, or unpinned.
   *
   * @param added its leases of holders that did not hold it before
   * @param kept resolves when the storage counts all of them
   */
  note(cid: string, added: readonly Lease[], kept: Promise<void>) {
    const places = added.map(({ holder, untilMs }) =>
      this.places.take({ holder, cid, untilMs, isWritten: true }),
    )
    // The outcome of earlier writes no longer matters: their leases are in the row, or not owed.
    const doubted = [...(this.doubted.get(cid) ?? [])]
    if (places.length === 0 && doubted.length === 0) return
    void kept.then(() => {
      for (const place of places) place.free()
      for (const [holder, place] of doubted) this.freeDoubted(cid, holder, place)
    })
  }

  /**
   * The write may have happened, or may still land: keeps the place until the ledger has seen it.
   */
  doubt(cid: string, holder: string, place: Place): void {
    if (!this.parts.isDoubted(cid)) {
      place.free()
      return
    }
    const places = this.doubted.get(cid) ?? new Map<string, Place>()
    places.get(holder)?.free()
    this.doubted.set(cid, places.set(holder, place))
  }

  /**
   * Called after a check of a CID in doubt.
   * @param isOver whether no write can land any more
   */
  async looked(cid: string, isOver: boolean): Promise<void> {
    const places = [...(this.doubted.get(cid) ?? [])]
    if (places.length === 0) return
    try {
      // The result of the check is on the disk, and counted.
      await this.parts.storage.commit([])
      for (const [holder, place] of places)
        if (isOver || (await this.heldUntil(cid, holder)) !== undefined)
          this.freeDoubted(cid, holder, place)
    } catch (error) {
      if (!(error instanceof LedgerFault)) throw error
      // There are no further checks of a CID that is no longer in doubt.
      const { setTimer, isDoubted } = this.parts
      setTimer(retryMs, () => void this.looked(cid, !isDoubted(cid)))
    }
  }

  /** The doubts belonged to another cluster. */
  clearDoubts(): void {
    for (const [cid, places] of this.doubted)
      for (const [holder, place] of places) this.freeDoubted(cid, holder, place)
  }

  /** Until when the holder has the CID, by the ledger. @throws LedgerFault */
  async heldUntil(cid: string, holder: string): Promise<number | undefined> {
    return this.heldIn(await this.parts.storage.row(cid), holder)
  }

  /** What the ledger knows of a pin that goes into the queue. @throws LedgerFault */
  async heldBefore(
    cid: string,
    holder: string,
  ): Promise<Pick<QueueRequest, 'heldUntilMs' | 'frozen'>> {
    const [row, now] = [await this.parts.storage.row(cid), this.parts.now()]
    const isShared = row?.leases.some((lease) => lease.holder !== holder && lease.untilMs > now)
    return {
      heldUntilMs: this.heldIn(row, holder),
      ...(isShared === true && { frozen: row?.options }),
    }
  }

  /** The same as {@link heldUntil}, once the storage counts it. */
  async keptUntil(cid: string, holder: string): Promise<number | undefined> {
    try {
      await this.parts.storage.commit([])
      return await this.heldUntil(cid, holder)
    } catch (error) {
      if (!(error instanceof LedgerFault)) throw error
      return undefined
    }
  }

  /** Until when the holder has it, by a record or a row. */
  heldIn(from: Held | undefined, holder: string): number | undefined {
    const now = this.parts.now()
    return from?.leases.find((lease) => lease.holder === holder && lease.untilMs > now)?.untilMs
  }

  /** CIDs in a stable order. @throws LedgerFault */
  page(holder: string, after: string | undefined, count: number): Promise<readonly string[]> {
    return this.parts.storage.held(holder, after, count)
  }

  close(): void {
    this.scheduler.close()
  }

  private freeDoubted(cid: string, holder: string, place: Place): void {
    place.free()
    const places = this.doubted.get(cid)
    if (places?.get(holder) !== place) return
    places.delete(holder)
    if (places.size === 0) this.doubted.delete(cid)
  }

  /** What a comparison could not decide, the next one decides soon; but not one after another. */
  private untilNext(): number {
    this.isFollowed = this.isUndecided && !this.isFollowed
    return this.isFollowed ? this.undecided.waitMs : this.parts.intervalMs
  }

  /** Differences that the last comparison left to a later one, until that is due. */
  get undecided(): Undecided {
    return this.parts.monotonic() < this.leftUntilMs ? this.left : nothingLeft
  }

  private get isUndecided(): boolean {
    return this.undecided.missing + this.undecided.unexpected > 0
  }

  private compare(): Promise<boolean> {
    this.comparing ??= this.compareAll().finally(() => {
      this.comparing = undefined
    })
    return this.comparing
  }

  private async compareAll(): Promise<boolean> {
    const { storage, cluster, owes, onReported, onLostWrite, isWalking, hearAll, log } = this.parts
    const { monotonic, now } = this.parts
    if (isWalking()) return false
    const startMs = monotonic()
    let pins = 0
    let batch: string[] = []
    try {
      const comparison = await storage.compare(onLostWrite, owes)
      const flush = (): Promise<void> => {
        const lines = batch
        batch = []
        return comparison.see(lines)
      }
      try {
        await cluster.readState((line) => {
          pins++
          if (!line.includes(marker)) return undefined
          return batch.push(line.toString()) < batchLines ? undefined : flush()
        })
        await flush()
        // What another gate has just released is not missing.
        if (!(await hearAll())) throw new Error('another gate does not answer')
        if (isWalking())
          throw new Error('the gate has to verify recent writes, or to hear another gate, first')
      } catch (error) {
        await comparison.abandon()
        throw error
      }
      const { undecided, ...counts } = await comparison.end()
      const { missing, unexpected } = counts
      this.left = undecided
      this.leftUntilMs = monotonic() + undecided.waitMs
      this.comparedMs = now()
      const durationMs = Math.round(monotonic() - startMs)
      log('info', { ...counts, pins, durationMs }, 'counted leases')
      if (missing + unexpected > 0) onReported(missing, unexpected)
      return true
    } catch (err) {
      log('warn', { err }, 'could not count leases')
      return false
    }
  }
}
