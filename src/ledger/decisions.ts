/**
 * Carries out operators' decisions: which side is right about a pin that was changed beside the
 * gate, and take-downs.
 */
import { ClusterFault } from '../cluster/faults.js'
import { isSameVersion, type Lease, tokenText } from '../leases/lease.js'
import type { Logger } from '../log/logger.js'
import type { Clock } from '../time/clock.js'
import { Deadline } from '../time/deadline.js'
import { minuteMs } from '../time/units.js'
import { DefiniteRefusal } from './definite-refusal.js'
import type { DoubtReason } from './doubt.js'
import { type Merged, mergeRow, type Owes, ownSeq } from './merge.js'
import type { OpenPin } from './open-pin.js'
import type { OpenPins } from './open-pins.js'
import type { Queue } from './queue.js'
import type { RecentRows } from './recent-rows.js'
import type { Differed, Reconciler } from './reconciler.js'
import type { RecordNow, Records, View } from './records.js'
import { everyHolder, type LedgerRow, type Released, releasedOf, rowVersion } from './row.js'
import type { LedgerStorage } from './storage/ledger-storage.js'
import { isBefore, readTakeDown, type TakeDown, takeDownEntry, takeDownOf } from './take-down.js'

export interface DecisionsParts extends Pick<Clock, 'now' | 'monotonic'> {
  readonly storage: LedgerStorage
  readonly pins: OpenPins
  readonly records: Records
  readonly recent: RecentRows
  readonly queue: Pick<Queue, 'of' | 'drop'>
  readonly reconciler: Pick<Reconciler, 'reconcile'>
  /** Which leases the rows owe. */
  readonly owes: Owes
  /** Called when the gate does not know whether the cluster has what the ledger says. */
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Longest time of one change. */
  readonly timeoutMs: () => number
  readonly log: Logger
}

/** A row that was changed outside the gate, as a plan saw it. */
export interface SeenReport {
  readonly cid: string
  readonly report: Differed
  readonly version: string
}

/**
 * `gate`: makes the cluster agree with the ledger. `hand`: makes the ledger agree with the cluster.
 */
export type Right = 'gate' | 'hand'

export type ReportDecision =
  /** The cluster again has what is owed, or no longer has what was released. */
  | 'pinned-again'
  | 'unpinned'
  /** The cluster and the ledger agreed by now. */
  | 'agreed'
  | 'accepted'
  | 'changed-since'
  | { readonly rejected: string }

export interface TakenDown {
  /**
   * `waiting`: it is on disk, and happens as soon as the cluster, or the lock, is there; `dropped`:
   * it was only in the queue.
   */
  readonly outcome: 'unpinned' | 'waiting' | 'dropped' | 'not-pinned' | 'not-a-plain-pin'
  /** The holders whose leases ended. */
  readonly holders: readonly string[]
  /** Number of its queued entries, which were dropped. */
  readonly queued: number
}

export interface PinNotes {
  readonly row: LedgerRow | undefined
  readonly report: Differed | undefined
  readonly takeDown: TakeDown | undefined
}

/** Assumed difference of clocks, while the cluster does not say its time. */
const marginMs = minuteMs

/** First check after a take-down; those of the doubt follow. */
const looksAfterMs = 1000

export class Decisions {
  constructor(private readonly parts: DecisionsParts) {}

  /** @throws ClusterFault, LockTimeout, StoreFault, LedgerFault: nothing was decided, or not all */
  async decide({ cid, report, version }: SeenReport, right: Right): Promise<ReportDecision> {
    const { storage, pins, records } = this.parts
    const deadline = this.deadline()
    const seen: { row?: LedgerRow; merged?: Merged } = {}
    const before = await storage.row(cid)
    // The plan has not seen what comes with the lock: it was written at another gate.
    const isSame = right === 'gate' && before !== undefined && rowVersion(before) === version
    const pin = await pins.open(cid, deadline, async () => {
      const now = await records.read(cid, deadline)
      const row = await storage.row(cid)
      const isPlanned = row?.report === report && (isSame || rowVersion(row) === version)
      if (!isPlanned) return { ...now, record: now.read }
      seen.row = { ...row, report: undefined }
      const merging = { gateId: storage.gateId, owes: this.parts.owes }
      seen.merged = mergeRow(seen.row, now.read, merging, now.clusterMs)
      return { ...now, record: right === 'hand' ? now.read : seen.merged.record }
    })
    const { row, merged } = seen
    if (row !== undefined && right === 'gate' && merged?.differs !== undefined)
      return this.repair(pin, merged.differs, deadline)
    try {
      if (row === undefined) return 'changed-since'
      const kept = right === 'hand' ? asLeft(row, pin) : row
      await storage.commit([{ kind: 'row', row: kept }])
      this.parts.recent.wrote(kept, pin.record?.writtenMs ?? -Infinity)
      return right === 'hand' ? 'accepted' : 'agreed'
    } finally {
      pin.release()
    }
  }

  /**
   * Ends all leases of a pin and its queued entries, for good: the ledger writes that to disk
   * before it asks the cluster, and repeats the request until the cluster has done it.
   * @throws LockTimeout, StoreFault, LedgerFault: nothing was done
   */
  async takeDown(cid: string, reason: string): Promise<TakenDown> {
    const { storage, pins, recent, queue, onDoubt, now } = this.parts
    const deadline = this.deadline()
    const found: { seen?: RecordNow } = {}
    const pin = await pins.open(cid, deadline, () => this.view(cid, deadline, found))
    const { seen } = found
    const read = seen?.read
    const entries = queue.of(cid)
    const taken = { holders: [] as readonly string[], queued: entries.length }
    try {
      const before = await storage.row(cid)
      if (read !== undefined && read.type !== 'pin')
        return { ...taken, queued: 0, outcome: 'not-a-plain-pin' }
      const ended = [...(before?.leases ?? []), ...(read?.leases ?? []), ...(read?.former ?? [])]
      taken.holders = [...new Set(ended.map(({ holder }) => holder))]
      const untilMs = read?.writtenMs ?? seen?.clusterMs ?? now() + marginMs
      const seq = storage.nextSeq()
      const { gateId } = storage
      const queued = entries.map((entry) => ({
        holder: entry.holder,
        token: tokenText({ gateId, seq: entry.seq }),
      }))
      const released = [
        ...releasedOf([...ended, ...queued], seq),
        takeDownEntry({ untilMs, atMs: pin.nowMs, token: tokenText({ gateId, seq }), reason }, seq),
      ]
      const row = { ...gone, cid, seq, atMs: pin.nowMs, released }
      const dueMs = now() + looksAfterMs
      const doubt = { cid, reason: 'unknown-outcome', attempt: 0, dueMs } as const
      await storage.commit([
        { kind: 'row', row },
        ...pins.newsOf(row, read),
        { kind: 'doubt', doubt },
        ...entries.map((entry) => ({ kind: 'dequeue', seq: entry.seq }) as const),
      ])
      recent.wrote(row, read?.writtenMs ?? -Infinity)
      onDoubt(cid, 'unknown-outcome')
      queue.drop(entries)
      pin.release(true)
    } finally {
      pin.release()
    }
    if (seen === undefined) return { ...taken, outcome: 'waiting' }
    if (read === undefined)
      return { ...taken, outcome: entries.length > 0 ? 'dropped' : 'not-pinned' }
    try {
      await this.parts.reconciler.reconcile(cid)
      return { ...taken, outcome: 'unpinned' }
    } catch {
      // The doubt tries again, and logs why.
      return { ...taken, outcome: 'waiting' }
    }
  }

  /**
   * An operator took the pin down at another gate. What began here since then stays.
   *
   * @param token of the take-down, as it stands in the other gate's row
   * @throws LockTimeout, LedgerFault
   */
  async hearTakeDown(cid: string, token: string): Promise<void> {
    const { storage, pins } = this.parts
    await pins.alone(cid, this.deadline(), async () => {
      this.takenDownElsewhere(cid, await storage.row(cid), token)
    })
  }

  /**
   * The same, under the lock of the pin: the store may tell a gate of it before the news does.
   * @param beforeSeq number of what follows the take-down at this gate; absent: it is yet to come
   * @throws LedgerFault
   */
  takenDownElsewhere(
    cid: string,
    before: LedgerRow | undefined,
    token: string,
    beforeSeq?: number,
  ): LedgerRow {
    const { storage, recent, queue, onDoubt } = this.parts
    const { gateId } = storage
    if (before?.released.some((gone) => gone.token === token) === true) return before
    const down = readTakeDown(token)
    const { atMs } = down
    const { leases = [], released = [], seq = 0 } = before ?? {}
    const entries = queue.of(cid).map((entry) => ({ ...entry, sinceMs: entry.atMs }))
    const queued = entries.map(({ holder, seq, sinceMs }) => {
      return { holder, sinceMs, token: tokenText({ gateId, seq }) }
    })
    const isOver = (lease: Pick<Lease, 'sinceMs' | 'token' | 'replaces'>): boolean =>
      isBefore(down, lease) ?? lease.sinceMs <= atMs
    const kept = leases.filter((lease) => !isOver(lease))
    const later = [...kept, ...queued.filter((entry) => !isOver(entry))]
    const laterSeqs = later.flatMap(({ token }) => ownSeq(token, gateId) ?? [])
    const downSeq = Math.min(beforeSeq ?? storage.nextSeq(), ...laterSeqs) - 1
    const ended = releasedOf([...leases, ...queued].filter(isOver), downSeq)
    const entry = { holder: everyHolder, token, seq: downSeq }
    // Reads may lag behind the unpin.
    const lastMs = Math.max(before?.atMs ?? 0, atMs)
    const row = { ...gone, ...before, cid, seq, atMs: lastMs, former: [] }
    const all = [...released, ...ended, entry]
    const after: LedgerRow = { ...row, leases: kept, released: all, report: undefined }
    const dropped = entries.filter(isOver)
    void storage.note([
      { kind: 'row', row: after },
      ...dropped.map((entry) => ({ kind: 'dequeue', seq: entry.seq }) as const),
    ])
    const { reason } = down
    const leaseIds = [...new Set(ended.map(({ holder }) => holder))]
    this.parts.log('warn', { cid, reason, leaseIds, queued: queue.drop(dropped) }, elsewhere)
    if (recent.of(cid) !== undefined) recent.wrote(after, -Infinity)
    onDoubt(cid, 'unknown-outcome')
    return after
  }

  /** Reads the cluster's record; undefined where the cluster is down. */
  private async view(cid: string, deadline: Deadline, found: { seen?: RecordNow }): Promise<View> {
    const { records, now } = this.parts
    try {
      found.seen = await records.read(cid, deadline)
      return { ...found.seen, record: found.seen.read }
    } catch (error) {
      if (!(error instanceof ClusterFault)) throw error
      const nowMs = now()
      return { read: undefined, record: undefined, nowMs, clusterMs: nowMs, laterMs: nowMs }
    }
  }

  /** What the ledger knows about a CID in addition to its record. @throws LedgerFault */
  async notesOf(cid: string): Promise<PinNotes> {
    const row = await this.parts.storage.row(cid)
    return { row, report: row?.report, takeDown: row && takeDownOf(row) }
  }

  private async repair(
    pin: OpenPin,
    differed: Differed,
    deadline: Deadline,
  ): Promise<ReportDecision> {
    try {
      await this.parts.records.write(pin.record ?? 'unpin', pin, deadline)
      return differed === 'missing' ? 'pinned-again' : 'unpinned'
    } catch (error) {
      if (error instanceof DefiniteRefusal) return { rejected: error.message }
      throw error
    }
  }

  private deadline(): Deadline {
    return new Deadline(this.parts.timeoutMs(), this.parts.monotonic)
  }
}

const elsewhere = 'an operator released a pin for good at another gate'

const gone = { isDirect: false, options: [], leases: [], former: [], expiresMs: Infinity } as const

/**
 * The row that agrees with the cluster's record: removed leases are released, added leases are
 * owed.
 */
function asLeft(row: LedgerRow, { record, seq }: OpenPin): LedgerRow {
  const { isDirect, options, leases, former, expiresMs } = record ?? gone
  const isGone = (old: Lease | Released): boolean =>
    !leases.some((lease) => isSameVersion(lease, old))
  const released = [...row.released.filter(isGone), ...releasedOf(row.leases.filter(isGone), seq)]
  return { ...row, isDirect, options, leases, former, expiresMs, released }
}
