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
import { type Merging, owedBy, owesEncoder } from './merge.js'
import type { Reconciler } from './reconciler.js'
import type { LedgerRow } from './row.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface WalkParts extends Clock {
  readonly storage: Pick<LedgerStorage, 'newest' | 'contents' | 'note'>
  readonly reconciler: Pick<Reconciler, 'compare' | 'reconcile' | 'report'>
  /** Which leases the rows owe. */
  readonly merging: Merging
  /** Undefined: this gate alone repairs. */
  readonly spend: GateLocks['spend'] | undefined
  /** The place of the last row written so far. */
  readonly lastRow: () => number
  readonly isAvailable: () => boolean
  /**
   * A write of the CID may have landed, or may still land, so the change need not come from
   * outside.
   */
  readonly isDoubted: (cid: string) => boolean
  readonly log: Logger
  readonly onReported: (missing: number, unexpected: number) => void
  /** The cluster answers, but not about one CID. */
  readonly onUnreadable: (cid: string) => void
}

/** Connections end one after another, and a restarting cluster needs a moment. */
const quietMs = 1000

/**
 * After a walk, for the next hang-up; doubled while walks find nothing lost. Some clusters close
 * each connection, and each walk closes some more.
 */
const [restMsMin, restMsMax] = [10_000, 300_000]

/** Rows after which a walk ends in any case, except for the last minutes before a power cut. */
const looksMin = 2000

/** Delay after the cluster broke off a walk. */
const retryMs = 5000

/** While the cluster is down, or another gate has not answered: so long, at most, after that. */
const waitMs = 1000

const pageRows = 64

/** With more failures than this, the cluster has the problem, not the records. */
const unreadableMax = 10

/** Most CIDs that a log line names. */
const namedMax = 20
const atOnceMax = 8

/** With more crashes than this since the last walk, the middle ones are merged. */
const pendingMax = 64

export class Walk {
  /**
   * Place of the last row at each event from which a walk still has to check backwards; ascending.
   */
  private pending: readonly number[] = []
  private isRebooted: boolean
  /** Records of this walk for which the cluster returned an error. */
  private unreadable = 0
  /** A round is due at once, not only after a rest. */
  private isDue: boolean
  private isRunning = false
  private restMs = restMsMin
  /** Until then, hang-ups wait. */
  private restUntil = -Infinity
  /** What each place of a round has seen to agree, for the places after it. */
  private agreed = new Map<number, Awaited<ReturnType<Reconciler['compare']>>>()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: WalkParts) {
    const { isRebooted, wasClosed, isCopy, walks } = parts.storage.contents
    this.isRebooted = isRebooted && !wasClosed
    if (walks !== undefined && !isCopy) {
      this.pending = walks.places
      this.isRebooted ||= walks.isRebooted
    }
    this.isDue = this.pending.length > 0
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /** Whether the cluster may have lost something that no walk has looked for. */
  get isPending(): boolean {
    return this.pending.length > 0
  }

  /** Whether a walk looks for it now or soon: work that depends on it waits. */
  get isOpen(): boolean {
    return this.isPending && (this.isDue || this.isRunning)
  }

  /**
   * Called when the gate starts, and when an endpoint goes down or comes back.
   * @param isHangUp it only closed a connection
   */
  soon(isHangUp = false): void {
    const lastRow = this.parts.lastRow()
    if (lastRow > 0 && this.pending.at(-1) !== lastRow)
      this.keep([...this.pending.slice(0, pendingMax - 1), lastRow])
    if (!this.isPending) return
    if (!isHangUp) this.restMs = restMsMin
    const leftMs = isHangUp && !this.isDue ? this.restUntil - this.parts.monotonic() : 0
    this.isDue ||= leftMs <= quietMs
    this.scheduler.runWithin(Math.max(quietMs, leftMs))
  }

  /** Forgets all places, as they belong to another cluster. */
  clear(): void {
    this.keep([])
  }

  close(): void {
    this.scheduler.close()
  }

  /** If this run is killed, the next one continues: lost writes may precede those made since. */
  private keep(places: readonly number[]): void {
    this.pending = places
    const { isRebooted } = this
    void this.parts.storage.note([{ kind: 'walks', walks: { places, isRebooted } }])
  }

  /** @returns milliseconds to the next one, if there is one */
  private async round(): Promise<number | undefined> {
    const { isAvailable, log, monotonic } = this.parts
    if (!this.isPending) return undefined
    if (!isAvailable()) return waitMs
    this.isRunning = true
    this.isDue = false
    this.restUntil = Infinity
    let hasAgreed = true
    try {
      for (const from of this.pending) {
        hasAgreed = (await this.walk(from)) && hasAgreed
        const left = this.pending.filter((place) => place !== from)
        this.isRebooted &&= left.length > 0
        this.keep(left)
      }
    } catch (err) {
      log('warn', { err }, 'could not verify recent writes yet')
      this.isDue = true
      return retryMs
    } finally {
      this.agreed.clear()
      this.isRunning = false
      this.restUntil = monotonic() + this.restMs
    }
    const { restMs } = this
    this.restMs = hasAgreed ? Math.min(2 * restMs, restMsMax) : restMsMin
    return this.untilNext(restMs)
  }

  private untilNext(restMs: number): number | undefined {
    if (!this.isPending) return undefined
    return this.isDue ? 0 : restMs
  }

  /** @returns whether all agreed */
  private async walk(from: number): Promise<boolean> {
    const { reconciler, isDoubted, merging, now, log, onReported } = this.parts
    this.unreadable = 0
    const looks = await this.looksFrom(from)
    const { repair, report: all } = await this.decide(looks)
    // The oldest first, so that they keep the order in which they were written.
    const repairs = await inParallel(repair.toReversed(), async ({ cid }) => {
      const { kind } = await reconciler.reconcile(cid, true)
      if (kind === 'rejected')
        log('error', { cid }, 'the cluster refused a pin that the ledger owes')
      return kind
    })
    const report: Decided['report'][number][] = []
    for (const each of all) {
      const { row, as } = each
      const isOfHand = as === 'missing' && !owesEncoder(row, merging, now())
      if (isOfHand || isDoubted(row.cid)) continue
      if (await reconciler.report(row, as)) report.push(each)
    }
    const missing = report.filter(({ as }) => as === 'missing').length
    const repaired = repairs.filter((kind) => kind === 'repaired').length
    const counts = { looked: looks.length, repaired }
    if (report.length > 0) {
      onReported(missing, report.length - missing)
      const cids = report.slice(0, namedMax).map(({ row }) => row.cid)
      log(
        'error',
        { ...counts, missing, unexpected: report.length - missing, cids },
        changedOutside,
      )
    } else if (looks.length > 0 && (repair.length > 0 || this.pending.length === 1))
      log('info', counts, 'verified recent writes')
    return repair.length + report.length === 0
  }

  /** Each gate finds its own part of what an older state brought back. @throws StoreFault */
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
      const known = this.agreed.get(row.seq)
      const compared = known === undefined ? reconciler.compare(row) : Promise.resolve(known)
      const seen = await compared.catch((error: unknown) => {
        if (!isUnreadable(error) || ++this.unreadable > unreadableMax) throw error
        return undefined
      })
      if (seen?.differs === undefined && seen !== undefined) this.agreed.set(row.seq, seen)
      if (seen === undefined) {
        // One record must not prevent the repair of all others, so it stays in doubt alone.
        onUnreadable(row.cid)
        return { row, differs: undefined, isNeutral: true }
      }
      const { differs, isThere, isTakenDown } = seen
      const isOwed = owedBy(row, merging).some(({ untilMs }) => untilMs > now())
      // The record may be another gate's, and says nothing about what this one wrote.
      const isOthers = isThere && merging.owes === 'all'
      const isNeutral = differs === undefined && !isOwed && !isOthers
      return { row, differs, isTakenDown, isNeutral }
    })
  }
}

const isUnreadable = (error: unknown): boolean =>
  error instanceof ClusterFault && error.reason === 'cluster-bad-answer'

/** More than a crash can lose is left to the comparison with the whole state. */
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
