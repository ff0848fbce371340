/** Pins during a change: each under its locks, with its row after the write. */
import { inSeconds } from '../leases/decide.js'
import { isSameVersion, type Lease, tokenText } from '../leases/lease.js'
import type { PinRecord } from '../leases/pin-record.js'
import type { Deadline } from '../time/deadline.js'
import type { Clock } from '../time/clock.js'
import { CidLocks, LockTimeout } from './cid-locks.js'
import type { DoubtReason } from './doubt.js'
import type { GateLock, GateLocks } from './gate-locks.js'
import { heardSeq, ownSeq, withoutEnded } from './merge.js'
import type { ReleasedElsewhere } from './news.js'
import { type OpenPin, takesFrom, unpinned, type Wanted, type WriteOutcome } from './open-pin.js'
import { numbersOf, type Opening } from './opening.js'
import { isOfHand, type View } from './records.js'
import { takeDownOf } from './take-down.js'
import { otherWriters, type Telling, tellGates, tellUnseen } from './tell-gates.js'
import { markOf, type RecentRows, readRecent, recentText, rowOfBoth } from './recent-rows.js'
import { everyHolder, type LedgerRow, type Released } from './row.js'
import { holdersIn, replacedUnseen, rowAfter } from './row-after.js'
import { LedgerFault, type LedgerOperation, type LedgerStorage } from './storage/ledger-storage.js'

export interface OpenPinsParts extends Pick<Clock, 'now' | 'setTimer'> {
  readonly storage: LedgerStorage
  readonly recent: RecentRows
  /** Undefined: this gate alone writes the cluster. */
  readonly gateLocks?: GateLocks | undefined
  readonly news?: Telling | undefined
  /** The pin is released, but the cluster may bring it back, without any change from outside. */
  readonly onMayReturn: (cid: string) => void
  /** @see Decisions.takenDownElsewhere */
  readonly onTakenDown: (
    cid: string,
    row: LedgerRow | undefined,
    token: string,
    beforeSeq: number | undefined,
  ) => LedgerRow
  /** It is unknown whether the cluster has what the ledger owes for a CID. */
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Whether a write of this CID may still land. */
  readonly isDoubted: (cid: string) => boolean
  /** Whether another gate may owe a lease that a newer one hides: cluster or store went down. */
  readonly mayOweMore: () => boolean
  /** Whether a write of an earlier run, which was killed, may still land. */
  readonly isAfterCrash: () => boolean
  /**
   * A pin was written; the storage counts its leases once they are kept.
   * @param added leases of holders that did not hold it before
   */
  readonly onHeld: (
    cid: string,
    leases: readonly Lease[],
    added: readonly Lease[],
    kept: Promise<void>,
  ) => void
}

type Change = View & {
  readonly cid: string
  readonly seq: number
  readonly isCrowded: boolean
  /** It waited in the queue. */
  readonly isQueued: boolean
  /** What its holder released unseen. */
  readonly unseen: readonly Released[]
}

/** What came of the news that another gate released a lease of this one. */
export type Retracted =
  /** The row did not owe it. */
  | 'known'
  | 'ended'
  /** This gate has written the pin since, and did not know of the other gate's write. */
  | 'overwritten'

/** Chooses a number that was given out before. */
export type GivenSeq = () => number | undefined

const inFlight: DoubtReason = 'in-flight'

/** A record that expires within this time may be on the sweep's list, as clocks differ. */
const sweepMarginMs = 60_000

export class OpenPins {
  private readonly locks: CidLocks
  /** Holders of locks now. */
  private readonly openCids = new Set<string>()
  private isClosed = false

  constructor(private readonly parts: OpenPinsParts) {
    this.locks = new CidLocks(parts.setTimer)
    parts.gateLocks?.whenDown(() => {
      for (const cid of this.openCids) parts.onDoubt(cid, 'lock-lost')
    })
  }

  /** Refuses further changes; the outcome of those in flight is unknown. */
  close(): void {
    this.isClosed = true
    for (const cid of this.openCids) this.parts.onDoubt(cid, 'unknown-outcome')
  }

  /**
   * @param look reads the record, once no other change is in progress
   * @param given number of the leases that the change makes; absent, or undefined: a new one
   * @throws LockTimeout, StoreFault, LedgerFault, and what `look` throws; then no lock is held
   */
  async open(
    cid: string,
    deadline: Deadline,
    look: (opening: Opening) => Promise<View>,
    given?: GivenSeq,
  ): Promise<OpenPin> {
    const { gateLocks, storage } = this.parts
    const endOwn = await this.locks.acquire(cid, deadline)
    let lock: GateLock | undefined
    let isOver = false
    let isBegun = false
    const release = (isTold = false): void => {
      const written = isTold ? this.parts.recent.of(cid) : undefined
      if (!isOver) void lock?.release(written && recentText(written), true)
      isOver = true
      // Behind the row of the change, if it is known what came of it.
      if (isBegun) void storage.note([{ kind: 'settle', cid, reason: inFlight }])
      isBegun = false
      this.openCids.delete(cid)
      endOwn()
    }
    try {
      const shared = gateLocks && { locks: gateLocks, ...numbersOf(storage) }
      lock = await shared?.locks.acquire(cid, deadline.leftMs, this.tokenOf(shared.change))
      if (this.isClosed) throw new LedgerFault('the ledger is closed')
      this.openCids.add(cid)
      if (shared && lock?.written !== undefined) await this.hear(lock.written, shared.heard)
      if (deadline.isOver) throw new LockTimeout()
      const open = lock?.open ?? []
      const isCrowded = open.length > 0
      const newToken = shared && this.tokenOf(shared.looked)
      const view = await look({ isCrowded, newToken })
      const seq = given?.() ?? shared?.change ?? storage.nextSeq()
      let unseen: readonly Released[] = []
      const settle = (wanted: Wanted, outcome: WriteOutcome): Promise<void> | undefined => {
        if (isOver) return undefined
        const change = { cid, seq, isCrowded, isQueued: given !== undefined, unseen, ...view }
        const kept = this.settle(change, wanted, outcome)
        if (wanted !== undefined && lock !== undefined) this.releaseShared(cid, lock, outcome)
        isOver ||= wanted !== undefined
        release()
        return kept
      }
      const { record, nowMs } = view
      const isThere = view.read !== undefined
      const isLocked = lock?.isTaken !== false
      const mayLand = (): boolean => isCrowded || this.parts.isDoubted(cid)
      const others = this.parts.news?.writtenBy(open) ?? []
      // The request of a queued pin may be older than those.
      const isAfter = mayLand() && given === undefined
      const after = [...this.takeDownAfter(cid, nowMs), ...(isAfter ? others : [])]
      const token = this.tokenOf(seq)
      const pin = { cid, record, isThere, isLocked, token, seq, nowMs, after }
      const begin = (wanted: Wanted): Promise<void> | undefined => {
        if (!takesFrom(record, wanted)) return undefined
        isBegun = true
        const doubt = { cid, reason: inFlight, attempt: 0, dueMs: this.parts.now() }
        return storage.commit([{ kind: 'doubt', doubt }])
      }
      const releaseUnseen = (holder: string): Promise<void> | undefined => {
        const isSeen = record?.leases.some((lease) => lease.holder === holder) === true
        if (isSeen ? !this.parts.mayOweMore() : !mayLand()) return undefined
        if (others.length === 0) return undefined
        unseen = [...others, token].map((text) => ({ holder, token: text, seq }))
        return storage.commit(this.newsOfUnseen(cid, token, unseen))
      }
      return { ...pin, begin, settle, releaseUnseen, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Each gate looks whether the cluster still has what it wrote. */
  doubtAtAllGates(cid: string): void {
    this.parts.onDoubt(cid, 'unknown-outcome')
    this.parts.news?.doubted(cid, 'unknown-outcome')
  }

  /** Runs work that changes nothing at the cluster, while no other change of the pin runs. */
  async alone(cid: string, deadline: Deadline, act: () => Promise<void>): Promise<void> {
    const release = await this.locks.acquire(cid, deadline)
    try {
      await act()
    } finally {
      release()
    }
  }

  /** Another gate released a lease that this one wrote, with those that it replaced. */
  async retract(cid: string, released: ReleasedElsewhere, deadline: Deadline): Promise<Retracted> {
    const { storage, recent, now } = this.parts
    const { holder, token, upTo, writtenMs = Infinity } = released
    const { gateId } = storage
    let retracted: Retracted = 'known'
    if (ownSeq(token, gateId) === undefined) return retracted
    await this.alone(cid, deadline, async () => {
      // A write has no row while it is not known what came of it.
      const row = (await storage.row(cid)) ?? (upTo && { ...unseenRow(cid), atMs: now() })
      if (row === undefined) return
      const gone = { holder, token, seq: heardSeq(row.leases, released, gateId), upTo }
      const end = (before: LedgerRow): LedgerRow => withoutEnded(before, gone, gateId)
      const after = end(row)
      const wasOwed = after.leases.length < row.leases.length
      if (!wasOwed && row.released.some((known) => isSameVersion(known, released))) return
      const report = after.leases.length > 0 ? row.report : undefined
      const isOverwritten = (recent.of(cid)?.writtenMs ?? -Infinity) > writtenMs
      if (wasOwed) retracted = isOverwritten ? 'overwritten' : 'ended'
      recent.change(cid, end)
      // Reads may lag behind the other gate's write.
      const atMs = wasOwed ? now() : row.atMs
      void storage.note([{ kind: 'row', row: { ...after, report, atMs } }])
    })
    return retracted
  }

  /** Other gates tell by the time whether a lease began before a take-down. */
  private takeDownAfter(cid: string, nowMs: number): readonly string[] {
    const row = this.parts.news && this.parts.recent.of(cid)?.row
    const down = row && takeDownOf(row)
    const isAfter = down?.token !== undefined && inSeconds(nowMs) <= down.atMs
    return isAfter ? [down.token] : []
  }

  private readonly tokenOf = (seq: number): string =>
    tokenText({ gateId: this.parts.storage.gateId, seq })

  /** Tells the other gates of the write; a gate that was not alone checks it again. */
  private releaseShared(cid: string, lock: GateLock, { kind }: WriteOutcome): void {
    const { recent, onDoubt, isDoubted, news } = this.parts
    const written = recent.of(cid)
    // If a late write puts the pin in doubt here, it is in doubt for every gate that writes now.
    const isOver = kind !== 'unknown' && !isDoubted(cid)
    if (lock.open.length > 0) onDoubt(cid, 'unknown-outcome')
    const mark = written && markOf(written, this.parts.storage.gateId)
    void lock.release(written && recentText(written), isOver, mark).then((crowd) => {
      if (crowd === 'unknown') {
        onDoubt(cid, 'lock-lost')
        news?.doubted(cid, isOver ? 'lock-lost' : 'unknown-outcome')
      }
      if (crowd === 'crowded') onDoubt(cid, 'unknown-outcome')
    })
  }

  /** Another gate wrote the pin after this one, or at the same time. */
  private async hear(text: string, seq: number): Promise<void> {
    const { row, writtenMs } = readRecent(text)
    const { storage, recent, onDoubt } = this.parts
    const kept = await storage.row(row.cid)
    const token = row.released.findLast(({ holder }) => holder === everyHolder)?.token
    const newToken = this.tokenOf(seq)
    const before = token === undefined ? kept : this.parts.onTakenDown(row.cid, kept, token, seq)
    const own = rowOfBoth(row, before, { gateId: storage.gateId, owes: 'own', newToken })
    // The cluster does not have a joined lease.
    if (own.leases.some(({ token }) => token === newToken)) onDoubt(row.cid, 'lock-lost')
    // Until an operator decides on the report, the other gate's record applies as it is.
    recent.wrote(own.report === undefined ? own : { ...row, seq: 0, report: undefined }, writtenMs)
    void storage.note([{ kind: 'row', row: own }])
  }

  private settle(change: Change, wanted: Wanted, outcome: WriteOutcome): Promise<void> | undefined {
    const { storage, recent, onDoubt } = this.parts
    const { cid, seq, record, read, nowMs, laterMs, isCrowded, isQueued, unseen } = change
    if (wanted === undefined || outcome.kind === 'refused') return undefined
    if (outcome.kind === 'unknown') {
      onDoubt(cid, 'unknown-outcome')
      // If the write may have removed a gate's lease, only that gate can tell whether it is there.
      this.parts.news?.doubted(cid, 'unknown-outcome', otherWriters(record, storage.gateId))
      return undefined
    }
    const isAfterCrash = this.parts.isAfterCrash()
    const mayLand = isCrowded || isAfterCrash || this.parts.isDoubted(cid)
    // A lease that was never there is not owed; but one that may still land is also released.
    const isNothing = record === undefined && read === undefined && wanted === 'unpin'
    if (isNothing && !mayLand) return undefined
    const after = wanted === 'unpin' ? unpinned(cid) : wanted
    const place = { seq: this.nextPlace(seq), atMs: this.parts.now() }
    const known = recent.of(cid)?.row.leases ?? []
    const token = this.tokenOf(seq)
    const seen = { ...rowAfter(after, { record, known, token, seq, nowMs }), ...place }
    const replaced = replacedUnseen(after, { token, seq }, seen.released)
    const row = { ...seen, released: [...seen.released, ...replaced, ...unseen] }
    const writtenMs = outcome.kind === 'written' ? outcome.writtenMs : undefined
    recent.wrote(row, writtenMs ?? read?.writtenMs ?? -Infinity)
    // The record that the cluster had may be on the sweep's list, whatever it should have been.
    const expiresMs = (read ?? record)?.expiresMs ?? Infinity
    const isNearSweep = expiresMs < laterMs + sweepMarginMs || isOfHand(change)
    if (isNearSweep) onDoubt(cid, 'near-sweep')
    // A write that the cluster does not show yet may still appear.
    if (wanted === 'unpin' && read === undefined && record !== undefined) {
      this.parts.onMayReturn(cid)
      onDoubt(cid, 'not-found')
    }
    if (isAfterCrash) onDoubt(cid, 'after-crash')
    const operations: LedgerOperation[] = [
      { kind: 'row', row },
      ...this.newsOf(seen, read, writtenMs),
      ...this.newsOfUnseen(cid, token, replaced),
    ]
    const now = this.parts.now()
    // An expired lease no longer counts.
    const counted = holdersIn(record, now)
    const leases = after.leases.filter(({ untilMs }) => untilMs > now)
    const added = leases.filter(({ holder }) => !counted.includes(holder))
    // A removal is acknowledged only once it is on the disk, its only proof. If a sweep or an older
    // write may still undo the pin, only the disk can restore it: the row, or the entry of the
    // queue, which is removed after the row is written.
    const isAwaited = takesFrom(record, after) || ((isNearSweep || mayLand) && !isQueued)
    const kept = isAwaited ? storage.commit(operations) : storage.note(operations)
    // The client gets an error although the cluster made the change.
    const counts = isAwaited ? kept.catch(() => storage.note(operations)) : kept
    this.parts.onHeld(cid, leases, added, counts)
    return isAwaited ? kept : undefined
  }

  /** @see tellGates */
  newsOf(row: LedgerRow, read: PinRecord | undefined, writtenMs?: number): LedgerOperation[] {
    const { news, storage, onMayReturn } = this.parts
    const { gateId } = storage
    return news === undefined
      ? []
      : tellGates(row, { read, writtenMs }, { news, gateId, onMayReturn })
  }

  private newsOfUnseen(cid: string, token: string, released: readonly Released[]) {
    const { news, storage } = this.parts
    return news === undefined
      ? []
      : tellUnseen(cid, token, released, { news, gateId: storage.gateId })
  }

  /** @param otherwise the write stays written even if the disk has no more numbers */
  private nextPlace(otherwise: number): number {
    try {
      return this.parts.storage.nextSeq()
    } catch (error) {
      if (!(error instanceof LedgerFault)) throw error
      return otherwise
    }
  }
}

/** Of a pin that this gate has not seen in the cluster. */
const unseenRow = (cid: string) => ({ ...unpinned(cid), former: [], released: [], seq: 0 })
