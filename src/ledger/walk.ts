/**
 * After every start, and after an endpoint was down: compares this gate's last writes with the
 * cluster, the newest first and without writing, until enough agree that no crash can have lost an
 * older one. Then it decides what a crash lost, and what was changed outside the gate.
 */
import { ClusterFault } from '../cluster/faults.js'
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Clock } from '../time/clock.js'
import {
  agreedMin,
  crashBudget,
  type Decided,
  decideWalk,
  type Look,
  rebootMs,
} from './decide-walk.js'
import type { GateLocks } from './gate-locks.js'
import { type Merging, owedBy } from './merge.js'
import type { Reconciler } from './reconciler.js'
import type { LedgerRow } from './row.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface WalkParts extends Clock {
  readonly storage: Pick<LedgerStorage, 'newest' | 'contents' | 'note'>
  readonly reconciler: Pick<Reconciler, 'compare' | 'reconcile' | 'report'>
  /** Whose leases the rows owe. */
  readonly merging: Merging
  /** Undefined: this gate alone repairs. */
  readonly spend: GateLocks['spend'] | undefined
  /** The place of the last row that was written so far. */
  readonly lastRow: () => number
  readonly isAvailable: () => boolean
  /** A write of the CID may have landed, or may still: no hand changed it, as far as is known. */
  readonly isDoubted: (cid: string) => boolean
  readonly log: Logger
  readonly onReported: (missing: number, unexpected: number) => void
  /** The cluster answers, but not about one CID. */
  readonly onUnreadable: (cid: string) => void
}

/** Connections end one after the other, and a cluster that starts again is not asked at once. */
const quietMs = 1000

/** Rows after which a walk ends in any case, but for the last minutes before a power cut. */
const looksMin = 2000

/** Delay while the cluster is down. */
const retryMs = 5000

const pageRows = 64

/** With more failures than this, the cluster has the problem, not the records. */
const unreadableMax = 10

/** CIDs that a line of the log names. */
const namedMax = 20
const atOnceMax = 8

/** Of more crashes than these since the last walk, the ones between are one. */
const pendingMax = 64

export class Walk {
  /** Places of the last row at each event that a walk has still to look behind; ascending. */
  private pending: readonly number[] = []
  private isRebooted: boolean
  /** Records of this walk that the cluster answered for with an error. */
  private unreadable = 0
  private readonly scheduler: Scheduler

  constructor(private readonly parts: WalkParts) {
    const { isRebooted, wasClosed, isCopy, walks } = parts.storage.contents
    this.isRebooted = isRebooted && !wasClosed
    if (walks !== undefined && !isCopy) {
      this.pending = walks.places
      this.isRebooted ||= walks.isRebooted
    }
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** Whether it is not known yet what the cluster has lost. */
  get isOpen(): boolean {
    return this.pending.length > 0
  }

  /** Called when the gate starts, and when an endpoint goes down or comes back. */
  soon(): void {
    const lastRow = this.parts.lastRow()
    if (lastRow > 0 && this.pending.at(-1) !== lastRow)
      this.keep([...this.pending.slice(0, pendingMax - 1), lastRow])
    if (this.isOpen) this.scheduler.runWithin(quietMs)
  }

  /** Forgets all places, as they are of another cluster. */
  clear(): void {
    this.keep([])
  }

  close(): void {
    this.scheduler.close()
  }

  /** A run that is killed before hands it on: what is lost may lie behind what is written since. */
  private keep(places: readonly number[]): void {
    this.pending = places
    const { isRebooted } = this
    void this.parts.storage.note([{ kind: 'walks', walks: { places, isRebooted } }])
  }

  /** @returns milliseconds to the next one, if there is one */
  private async round(): Promise<number | undefined> {
    const { isAvailable, log } = this.parts
    const [from] = this.pending
    if (from === undefined) return undefined
    if (!isAvailable()) return retryMs
    try {
      await this.walk(from)
    } catch (err) {
      log('warn', { err }, 'could not verify recent writes yet')
      return retryMs
    }
    const left = this.pending.filter((place) => place !== from)
    this.isRebooted &&= left.length > 0
    this.keep(left)
    return this.isOpen ? 0 : undefined
  }

  private async walk(from: number): Promise<void> {
    const { reconciler, isDoubted, log, onReported } = this.parts
    this.unreadable = 0
    const looks = await this.looksFrom(from)
    const { repair, report: all } = await this.decide(looks)
    const report = all.filter(({ row }) => !isDoubted(row.cid))
    // The oldest first, so that they stand in the order in which they were written.
    await inParallel(repair.toReversed(), async ({ cid }) => {
      const { kind } = await reconciler.reconcile(cid, true)
      if (kind === 'rejected')
        log('error', { cid }, 'the cluster refused a pin that the ledger owes')
    })
    for (const { row, as } of report) await reconciler.report(row, as)
    const missing = report.filter(({ as }) => as === 'missing').length
    const counts = { looked: looks.length, repaired: repair.length }
    if (report.length > 0) {
      onReported(missing, report.length - missing)
      const cids = report.slice(0, namedMax).map(({ row }) => row.cid)
      log(
        'error',
        { ...counts, missing, unexpected: report.length - missing, cids },
        changedOutside,
      )
    } else if (looks.length > 0) log('info', counts, 'verified recent writes')
  }

  /** Each gate finds its part of what an older state brought back. @throws StoreFault */
  private async decide(looks: readonly Look[]): Promise<Decided> {
    const { spend } = this.parts
    const decided = decideWalk(looks, this.isRebooted)
    const cids = decided.back.map(({ cid }) => cid)
    if (spend === undefined || cids.length === 0 || (await spend(crashBudget, cids))) return decided
    return decideWalk(looks, this.isRebooted, 0)
  }

  private async looksFrom(from: number): Promise<Look[]> {
    const { storage } = this.parts
    const looks: Look[] = []
    let agreed = 0
    let before = from + 1
    while (agreed < agreedMin && !isEnough(looks, this.isRebooted)) {
      const rows = await storage.newest(before, pageRows)
      const last = rows.at(-1)
      if (last === undefined) break
      before = last.seq
      for (const look of await this.lookAt(rows)) {
        looks.push(look)
        if (look.isNeutral) continue
        agreed = look.differs === undefined ? agreed + 1 : 0
      }
    }
    return looks
  }

  private lookAt(rows: readonly LedgerRow[]): Promise<Look[]> {
    const { reconciler, merging, now, onUnreadable } = this.parts
    return inParallel(rows, async (row) => {
      const seen = await reconciler.compare(row).catch((error: unknown) => {
        if (!isUnreadable(error) || ++this.unreadable > unreadableMax) throw error
        return undefined
      })
      if (seen === undefined) {
        // One record must not keep all others from being repaired: it stays in doubt by itself.
        onUnreadable(row.cid)
        return { row, differs: undefined, isNeutral: true }
      }
      const { differs, isThere, isTakenDown } = seen
      const isOwed = owedBy(row, merging).some(({ untilMs }) => untilMs > now())
      // What is there may be another gate's, and says nothing of what this one wrote.
      const isOthers = isThere && merging.owes === 'all'
      const isNeutral = differs === undefined && !isOwed && !isOthers
      return { row, differs, isTakenDown, isNeutral }
    })
  }
}

const isUnreadable = (error: unknown): boolean =>
  error instanceof ClusterFault && error.reason === 'cluster-bad-answer'

/** More than a crash can take is for the comparison with the whole state. */
function isEnough(looks: readonly Look[], isRebooted: boolean): boolean {
  const [first, last] = [looks[0], looks.at(-1)]
  if (looks.length < looksMin || first === undefined || last === undefined) return false
  return !isRebooted || last.row.atMs < first.row.atMs - rebootMs
}

/** In the order of the items. @throws the first failure, once all have ended */
async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const next = items.entries()
  const workers = Array.from({ length: atOnceMax }, async () => {
    for (const [index, item] of next) results[index] = await act(item)
  })
  const failure = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected')
  if (failure?.status === 'rejected') throw failure.reason
  return results
}

const changedOutside =
  'found pins that were changed outside the gate; an operator has to decide on them'
