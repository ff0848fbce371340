/** Pins that are open for a change: each under its locks, and with its row once it is written. */
import { type Lease } from '../leases/lease.js'
import { LockTimeout } from './lock-timeout.js'
import type { NewRecord, PinRecord } from '../leases/pin-record.js'
import { tokenText } from '../leases/token.js'
import type { Deadline } from '../time/deadline.js'
import type { SetTimer } from '../time/set-timer.js'
import { CidLocks } from './cid-locks.js'
import type { DoubtReason } from './doubt.js'
import type { GateLock, GateLocks } from './gate-locks.js'
import type { Holdings } from './holdings.js'
import type { OpenPin, Wanted, WriteOutcome } from './open-pin.js'
import type { View } from './records.js'
import type { RecentRows } from './recent-rows.js'
import type { LedgerRow } from './row.js'
import { LedgerFault, type LedgerStorage } from './storage/ledger-storage.js'
import { readTold, toldText } from './told.js'

export interface OpenPinsParts {
  readonly storage: LedgerStorage
  readonly recent: RecentRows
  /** Undefined: this gate alone writes the cluster. */
  readonly gateLocks?: GateLocks | undefined
  /** It is not known whether the cluster has what the ledger owes of a CID. */
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Whether a write of this CID may still land. */
  readonly isDoubted: (cid: string) => boolean
  /** Whether a write of a run before, which was killed, may still land. */
  readonly isAfterCrash: () => boolean
  /** A pin was written; the storage counts its leases once they are kept. */
  readonly onHeld: Holdings['note']
  /** A row was put at the end of the order. */
  readonly onPlaced: (seq: number) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly setTimer: SetTimer
}

/** A record that expires within it may be on a list of the cluster's sweep; clocks differ. */
const sweepMarginMs = 60_000

export class OpenPins {
  private readonly locks: CidLocks
  /** Whose lock among gates is held now. */
  private readonly lockedCids = new Set<string>()

  constructor(private readonly parts: OpenPinsParts) {
    this.locks = new CidLocks(parts.setTimer)
    parts.gateLocks?.whenDown(() => {
      for (const cid of this.lockedCids) parts.onDoubt(cid, 'lock-lost')
    })
  }

  /**
   * @param look reads the record, once nobody else changes it
   * @param given the number of the leases that the change makes; a new one when absent
   * @throws LockTimeout, StoreFault, LedgerFault, and what `look` throws; then nothing is held
   */
  async open(
    cid: string,
    deadline: Deadline,
    look: () => Promise<View>,
    given?: number,
  ): Promise<OpenPin> {
    const { gateLocks, storage } = this.parts
    const endOwn = await this.locks.acquire(cid, deadline)
    let lock: GateLock | undefined
    let isOver = false
    const release = (): void => {
      if (!isOver) void lock?.release(undefined, true)
      isOver = true
      this.lockedCids.delete(cid)
      endOwn()
    }
    try {
      lock = await gateLocks?.acquire(cid, deadline.leftMs)
      if (lock !== undefined) this.lockedCids.add(cid)
      if (lock?.written !== undefined) await this.hear(lock.written)
      if (deadline.isOver) throw new LockTimeout()
      const view = await look()
      const seq = storage.nextSeq()
      const changeSeq = given ?? seq
      const token = tokenText({ gateId: storage.gateId, seq: changeSeq })
      const settle = (wanted: Wanted, outcome: WriteOutcome): Promise<void> | undefined => {
        if (isOver) return undefined
        const kept = this.settle({ cid, seq: changeSeq, ...view }, wanted, outcome)
        if (wanted !== undefined && lock !== undefined) this.releaseShared(cid, lock, outcome)
        isOver ||= wanted !== undefined
        release()
        return kept
      }
      const { record, nowMs } = view
      return { cid, record, token, seq: changeSeq, nowMs, settle, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Does what changes nothing at the cluster while nobody else changes the pin. */
  async alone(cid: string, deadline: Deadline, act: () => Promise<void>): Promise<void> {
    const release = await this.locks.acquire(cid, deadline)
    try {
      await act()
    } finally {
      release()
    }
  }

  /** Tells the other gates what was written; a gate that was not alone looks at it again. */
  private releaseShared(cid: string, lock: GateLock, { kind }: WriteOutcome): void {
    const { recent, onDoubt, isDoubted } = this.parts
    const written = recent.of(cid)
    // What is in doubt here for a write that may land is so for every gate that writes now.
    const isOver = kind !== 'unknown' && !isDoubted(cid)
    if (lock.isCrowded) onDoubt(cid, 'unknown-outcome')
    void lock.release(written && toldText(written), isOver).then((crowd) => {
      if (crowd === 'unknown') onDoubt(cid, 'lock-lost')
      if (crowd === 'crowded') onDoubt(cid, 'unknown-outcome')
    })
  }

  /**
   * Another gate wrote the pin after this one did. Where both wrote at once, it knew nothing of the
   * leases of this gate: those that it has not let go stay owed.
   */
  private async hear(text: string): Promise<void> {
    const { row, writtenMs } = readTold(text)
    const { storage, recent } = this.parts
    const before = (await storage.row(row.cid))?.leases ?? []
    const kept = before.filter(
      ({ holder, token }) =>
        !row.leases.some((lease) => lease.holder === holder) &&
        !row.released.some((gone) => gone.holder === holder && gone.token === token),
    )
    const own = { ...row, leases: [...row.leases, ...kept], seq: this.nextPlace(0) }
    recent.wrote(own, writtenMs)
    void storage.note([{ kind: 'row', row: own }])
  }

  private settle(
    {
      cid,
      seq,
      record,
      read,
      nowMs,
      laterMs,
    }: View & { readonly cid: string; readonly seq: number },
    wanted: Wanted,
    outcome: WriteOutcome,
  ): Promise<void> | undefined {
    const { storage, recent, onDoubt } = this.parts
    if (wanted === undefined || outcome.kind === 'refused') return undefined
    if (outcome.kind === 'unknown') {
      onDoubt(cid, 'unknown-outcome')
      return undefined
    }
    // What was never there and is not there now owes nothing to anybody.
    if (record === undefined && read === undefined && wanted === 'unpin') return undefined
    const after = wanted === 'unpin' ? unpinned(cid) : wanted
    const row = this.rowOf(after, record, seq, nowMs)
    recent.wrote(
      row,
      outcome.kind === 'written' ? outcome.writtenMs : (read?.writtenMs ?? -Infinity),
    )
    // What the cluster had may be on its list, whatever it should have had.
    const expiresMs = (read ?? record)?.expiresMs ?? Infinity
    if (expiresMs < laterMs + sweepMarginMs) onDoubt(cid, 'near-sweep')
    // The write that it does not have yet may still be seen.
    if (wanted === 'unpin' && read === undefined && record !== undefined) onDoubt(cid, 'not-found')
    if (this.parts.isAfterCrash()) onDoubt(cid, 'after-crash')
    const operation = { kind: 'row', row } as const
    const now = this.parts.now()
    const gone = holdersIn(record).filter((holder) => !holdersIn(after).includes(holder))
    // A lease that has run out is counted no more.
    const counted = holdersIn(record, now)
    const leases = after.leases.filter(({ untilMs }) => untilMs > now)
    const added = leases.filter(({ holder }) => !counted.includes(holder))
    // What is taken away is acknowledged only when the disk has it: nothing else proves it.
    const isLess = gone.length > 0 || isShortened(record, after)
    const kept = isLess ? storage.commit([operation]) : storage.note([operation])
    // The client is told that it failed, and the cluster has done it all the same.
    const counts = isLess ? kept.catch(() => storage.note([operation])) : kept
    this.parts.onHeld(cid, leases, added, counts)
    return isLess ? kept : undefined
  }

  private rowOf(
    after: NewRecord,
    before: PinRecord | undefined,
    releaseSeq: number,
    nowMs: number,
  ): LedgerRow {
    const { now } = this.parts
    const { cid, isDirect, options, leases, former = [], expiresMs } = after
    const isKept = (old: Lease): boolean =>
      leases.some(({ holder, token }) => holder === old.holder && token === old.token)
    const released = (before?.leases ?? []).flatMap((old) =>
      old.token === undefined || isKept(old) || old.untilMs <= nowMs
        ? []
        : [{ holder: old.holder, token: old.token, seq: releaseSeq }],
    )
    const place = { seq: this.nextPlace(releaseSeq), atMs: now() }
    return { cid, ...place, isDirect, options, leases, former, expiresMs, released }
  }

  /** @param otherwise what was written stays written, though the disk gives no more numbers */
  private nextPlace(otherwise: number): number {
    let seq = otherwise
    try {
      seq = this.parts.storage.nextSeq()
    } catch (error) {
      if (!(error instanceof LedgerFault)) throw error
    }
    this.parts.onPlaced(seq)
    return seq
  }
}

const unpinned = (cid: string): NewRecord => ({
  cid,
  isDirect: false,
  options: [],
  leases: [],
  expiresMs: Infinity,
})

/** Whether a holder that stays has less time than before. */
const isShortened = (before: NewRecord | undefined, { leases }: NewRecord): boolean =>
  before?.leases.some((old) =>
    leases.some(({ holder, untilMs }) => holder === old.holder && untilMs < old.untilMs),
  ) === true

const holdersIn = (record: NewRecord | undefined, afterMs = -Infinity): readonly string[] =>
  (record?.leases ?? []).filter(({ untilMs }) => untilMs > afterMs).map(({ holder }) => holder)
