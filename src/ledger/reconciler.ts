/** The only repair: compares what the ledger owes for a CID with the cluster's record. */
import { AgingMap } from '../collections/aging-map.js'
import type { Lease } from '../leases/lease.js'
import type { PinRecord } from '../leases/pin-record.js'
import type { Logger } from '../log/logger.js'
import type { Clock } from '../time/clock.js'
import { Deadline } from '../time/deadline.js'
import { crashBudget } from './decide-walk.js'
import { DefiniteRefusal } from './definite-refusal.js'
import { landingMs } from './doubt.js'
import type { GateLocks, UnpinBudget } from './gate-locks.js'
import { LockTimeout } from './cid-locks.js'
import { changeSeqOf, type Merged, mergeRow, type Merging, type Owes, ownSeq } from './merge.js'
import { tried } from './open-pin.js'
import type { OpenPins } from './open-pins.js'
import type { RecentRows } from './recent-rows.js'
import type { RecordNow, Records } from './records.js'
import type { LedgerRow } from './row.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface ReconcilerParts extends Pick<Clock, 'now' | 'monotonic'> {
  readonly storage: LedgerStorage
  readonly pins: OpenPins
  readonly records: Records
  readonly recent: Pick<RecentRows, 'of'>
  /** Which leases the rows owe. */
  readonly owes: Owes
  /** Undefined: this gate alone repairs. */
  readonly spend: GateLocks['spend'] | undefined
  /** Longest time of one repair. */
  readonly timeoutMs: () => number
  readonly log: Logger
  /** Called after a repair, with the kind of difference. */
  readonly onRepaired: (differed: Differed) => void
  /** Called when a record was left to the operator, with the kind of difference. */
  readonly onReported: (differed: Differed) => void
}

export type Differed = NonNullable<Merged['differs']>

/** Outcome of a repair. */
export type Repair =
  /** The cluster has what is owed. */
  | { readonly kind: 'agreed' }
  | { readonly kind: 'repaired'; readonly differed: Differed }
  /** What an operator released for good is gone. */
  | { readonly kind: 'taken-down' }
  /** More pins came back than late writes explain: the operator decides. */
  | { readonly kind: 'reported' }
  /** The cluster answers, and refuses what is owed. */
  | { readonly kind: 'rejected'; readonly message: string }

/** @see Merged */
export interface ComparedRow {
  readonly differs: Merged['differs']
  readonly isThere: boolean
  readonly isTakenDown: boolean
}

/** As many pins as late writes bring back within the time in which one may land. */
const lateBudget: UnpinBudget = { name: 'late', max: 5, withinMs: landingMs }
const toldMin = 5000

/** As long as a batch of CRDT writes may take. A backup may bring the pin back later. */
const batchMs = 30_000

export class Reconciler {
  /** When the last ones were, by the monotonic clock. */
  private readonly removals: number[] = []
  /** Until when each is explained. */
  private readonly explainedUntil = new AgingMap<number>(toldMin)
  /** When another gate wrote each, by the cluster's clock. */
  private readonly writtenMs = new AgingMap<number>(toldMin)

  constructor(private readonly parts: ReconcilerParts) {}

  /**
   * Rewrites what is owed and missing, and removes only what was released.
   *
   * @param isDecided a walk has seen that a crash brought it back
   * @throws ClusterFault, LockTimeout, StoreFault, LedgerFault: it is not known
   */
  async reconcile(cid: string, isDecided = false): Promise<Repair> {
    const { storage, pins, records } = this.parts
    const deadline = this.deadline()
    const found: { merged?: Merged; row?: LedgerRow | undefined; isStale?: boolean } = {}
    const pin = await pins.open(cid, deadline, async ({ newToken }) => {
      const now = await records.read(cid, deadline)
      const { read } = now
      const kept = await storage.row(cid)
      const row = kept !== undefined && this.isUnsure(kept) ? undefined : kept
      const merged: Merged =
        row === undefined
          ? { record: read, differs: undefined }
          : this.mergedAll(row, now, newToken)
      Object.assign(found, { merged, row, isStale: this.isStale(now) })
      if (merged.differs === undefined && read !== undefined && row === kept) this.adopt(row, read)
      return { ...now, record: merged.record }
    })
    const { differs, isTakenDown = false } = found.merged ?? {}
    if (differs === undefined) {
      pin.release()
      return { kind: 'agreed' }
    }
    // What another gate just released is stored with the lock. A take-down needs no lock.
    const isUnsure = !pin.isLocked || (differs === 'unexpected' && found.isStale === true)
    if (isUnsure && !isTakenDown) {
      pin.release()
      throw new LockTimeout()
    }
    const isDecidedOn = isDecided || isTakenDown
    if (
      differs === 'unexpected' &&
      !isDecidedOn &&
      !(await tried(pin, () => this.mayRemove(cid)))
    ) {
      pin.release()
      if (found.row !== undefined) await this.report(found.row, differs)
      this.parts.log('error', { cid }, reported)
      this.parts.onReported(differs)
      return { kind: 'reported' }
    }
    try {
      await records.write(pin.record ?? 'unpin', pin, deadline)
    } catch (error) {
      if (error instanceof DefiniteRefusal) return { kind: 'rejected', message: error.message }
      throw error
    }
    if (differs === 'unexpected' && isTakenDown) {
      this.parts.log('info', { cid }, takenDown)
      return { kind: 'taken-down' }
    }
    // With CRDT batching it is normal that a pin appears after its unpin.
    if (differs === 'unexpected' && this.isExplained(cid)) this.parts.log('info', { cid }, cameLate)
    else this.parts.log('warn', { cid }, repaired[differs])
    // It is there until its unpin is committed, which a check of a doubt may precede.
    if (differs === 'unexpected' && isDecided) this.explain(cid, batchMs)
    this.parts.onRepaired(differs)
    return { kind: 'repaired', differed: differs }
  }

  /** Another gate, or a batch, may bring back what this one released, for so long. */
  explain(cid: string, ms = landingMs): void {
    const untilMs = this.parts.monotonic() + ms
    this.explainedUntil.set(cid, Math.max(untilMs, this.explainedUntil.get(cid) ?? 0))
  }

  /** Another gate wrote the pin then: with CRDT batching a read may not show that yet. */
  written(cid: string, writtenMs: number): void {
    this.writtenMs.set(cid, Math.max(writtenMs, this.writtenMs.get(cid) ?? -Infinity))
  }

  isExplained(cid: string): boolean {
    return (this.explainedUntil.get(cid) ?? -Infinity) > this.parts.monotonic()
  }

  /** How the cluster's record differs from what is owed; takes no lock. */
  async compare(row: LedgerRow): Promise<ComparedRow> {
    const now = await this.parts.records.read(row.cid, this.deadline())
    // Leases of which neither is later differ also where they end alike: a repair joins them.
    const newToken = this.parts.owes === 'own' ? unjoined : undefined
    const { differs, isTakenDown = false } = this.merged(row, now, { newToken })
    return { differs, isThere: now.read !== undefined, isTakenDown }
  }

  /**
   * Leaves a row that was changed outside the gate to the operator.
   * @returns false: a client has changed the pin meanwhile
   */
  async report(row: LedgerRow, report: Differed): Promise<boolean> {
    const { storage, pins } = this.parts
    let isSame = false
    await pins.alone(row.cid, this.deadline(), async () => {
      const current = await storage.row(row.cid)
      isSame = current?.seq === row.seq
      if (isSame && current) void storage.note([{ kind: 'row', row: { ...current, report } }])
    })
    return isSame
  }

  /** Whether the record is older than what another gate wrote within the time of a batch. */
  private isStale({ read, clusterMs }: RecordNow): boolean {
    const toldMs = read && this.writtenMs.get(read.cid)
    if (toldMs === undefined || toldMs < clusterMs - batchMs) return false
    // The cluster's times are in whole seconds when read back.
    return Math.floor((read?.writtenMs ?? 0) / 1000) < Math.floor(toldMs / 1000)
  }

  /** A row of a copy or of another cluster: its leases may have been released since. */
  private isUnsure({ seq }: LedgerRow): boolean {
    const { isCopy, lastRow } = this.parts.storage.contents
    return seq < 0 || (isCopy && seq <= lastRow)
  }

  /** Additional leases of the cluster's record are owed from now on; the row keeps its place. */
  private adopt(row: LedgerRow | undefined, read: PinRecord): void {
    const { storage, pins, now } = this.parts
    if (read.leases.length === 0 || read.type !== 'pin' || row?.report !== undefined) return
    if (row !== undefined && versions(row.leases) === versions(read.leases)) return
    const { cid, isDirect, options, leases, former, expiresMs } = read
    // For a write whose row was lost with a killed gate: a walk also has to check it.
    const own = leases.map(({ token }) => ownSeq(token, storage.gateId) ?? 0)
    const place = { seq: Math.max(row?.seq ?? 0, ...own), atMs: row?.atMs ?? now() }
    // Other gates owe what it replaced before they hear of it.
    const released = leases.flatMap((lease) => {
      const { holder, replaces = [] } = lease
      const seq = changeSeqOf(lease, storage.gateId)
      return seq === undefined ? [] : replaces.map((token) => ({ holder, token, seq }))
    })
    const adopted = { cid, ...place, isDirect, options, leases, former, expiresMs, released }
    void storage.note([{ kind: 'row', row: adopted }, ...pins.newsOf(adopted, read)])
  }

  /** A restored backup brings back more than late writes do. */
  private async mayRemove(cid: string): Promise<boolean> {
    const { spend } = this.parts
    const isExplained = this.isExplained(cid)
    // Pins that gates overwrote are explained, but not the many pins that a backup brings back.
    if (spend !== undefined) return spend(isExplained ? crashBudget : lateBudget, [cid])
    if (isExplained) return true
    const nowMs = this.parts.monotonic()
    const [oldest] = this.removals
    if (this.removals.length >= lateBudget.max) {
      if (oldest !== undefined && oldest > nowMs - lateBudget.withinMs) return false
      this.removals.shift()
    }
    this.removals.push(nowMs)
    return true
  }

  /** Includes what other gates reported of their last writes, as the read may lag behind. */
  private mergedAll(row: LedgerRow, now: RecordNow, newToken: string | undefined): Merged {
    const { recent } = this.parts
    const merged = this.merged(row, now, { newToken })
    const isKnown = recent.of(row.cid) !== undefined
    if (merged.differs === undefined || !isKnown) return merged
    return { ...merged, record: this.merged(row, now, { newToken, owes: 'all' }).record }
  }

  private merged(
    row: LedgerRow,
    { read, clusterMs }: RecordNow,
    merging: Partial<Merging> = {},
  ): Merged {
    const { storage, owes } = this.parts
    return mergeRow(row, read, { gateId: storage.gateId, owes, ...merging }, clusterMs)
  }

  private deadline(): Deadline {
    return new Deadline(this.parts.timeoutMs(), this.parts.monotonic)
  }
}

/** In place of a token, where nothing is written. */
const unjoined = 'unjoined'

const versions = (leases: readonly Lease[]): string =>
  leases
    .map(({ holder, token = '', untilMs }) => `${holder} ${token} ${untilMs}`)
    .sort()
    .join()

const reported = 'did not unpin a pin that came back: more came back than late writes explain'

const takenDown = 'removed what an operator had released for good'

const cameLate = 'the cluster showed leases after their release; removed them'

const repaired = {
  missing: 'the cluster lacked leases that this gate wrote; pinned again',
  unexpected: 'the cluster had leases that were released; unpinned again',
}
