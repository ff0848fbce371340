/**
 * The ledger: reads a pin as it should be, and changes it. See docs/ledger.md for the model and its
 * invariants.
 */
import { ClusterFault } from '../cluster/faults.js'
import type { RequestHeaders } from '../http/headers.js'
import { isUnheld } from '../leases/decide.js'
import { type Lease, latestEnd, operator, tokensOf } from '../leases/lease.js'
import type { Logger } from '../log/logger.js'
import type { Clock } from '../time/clock.js'
import { Deadline } from '../time/deadline.js'
import type { ClusterPort, Finished } from './cluster-port.js'
import type { DoubtReason } from './doubt.js'
import { changeSeqOf, isJoined, mergeRow, owedByChange, type Owes, ownSeq } from './merge.js'
import { type OpenPin, tried, type Wanted } from './open-pin.js'
import type { Opening } from './opening.js'
import type { GivenSeq, OpenPins } from './open-pins.js'
import type { QueueEntry } from './queue-entry.js'
import type { RecentRows, Seen } from './recent-rows.js'
import type { Records, View } from './records.js'
import type { LedgerStorage } from './storage/ledger-storage.js'
import { isReleasedSince } from './take-down.js'

export interface LedgerParts extends Pick<Clock, 'monotonic'> {
  readonly storage: LedgerStorage
  readonly cluster: ClusterPort
  readonly pins: OpenPins
  readonly records: Records
  readonly recent: RecentRows
  /** Which leases the rows owe. */
  readonly owes: Owes
  /** Longest time of one change that no client asked for. */
  readonly timeoutMs: () => number
  /** Called when the gate does not know whether the cluster has what the ledger owes. */
  readonly onDoubt: (cid: string, reason: DoubtReason) => void
  /** Whether a CID is in doubt. */
  readonly isDoubted: (cid: string) => boolean
  readonly log: Logger
}

/** Decides the next state of a pin; undefined: it stays unchanged. */
export type DecideChange = (pin: OpenPin, deadline: Deadline) => Promise<Wanted> | Wanted

/** A queued pin. */
export interface Replayed extends Pick<QueueEntry, 'cid' | 'holder' | 'seq'> {
  /** Whether no later pin of its holder waits for the CID, at the time of the write. */
  readonly isLast: () => boolean
}

export class Ledger {
  constructor(private readonly parts: LedgerParts) {}

  /** False while the disk is not writable: the gate cannot make new promises. */
  get isWritable(): boolean {
    return this.parts.storage.isWritable
  }

  /**
   * Locks the pin and reads its record, without asking Kubo.
   * @param given number of the leases that the change makes; absent: a new one
   * @throws ClusterFault, LockTimeout, StoreFault, LedgerFault; then no lock is held
   */
  async open(
    cid: string,
    deadline: Deadline,
    headers?: RequestHeaders,
    given?: GivenSeq,
  ): Promise<OpenPin> {
    const { pins, log, owes } = this.parts
    const look = async (opening: Opening) => {
      const view = await this.look(cid, deadline, headers, opening)
      if (view.foreign !== undefined && owes === 'all')
        log('warn', { cid }, overwritten[view.foreign])
      return view
    }
    return pins.open(cid, deadline, look, given)
  }

  /**
   * The record as it should be.
   * @param opening absent: without its lock
   */
  async look(
    cid: string,
    deadline: Deadline,
    headers?: RequestHeaders,
    opening: Opening = unopened,
  ): Promise<View & Pick<Seen, 'foreign'>> {
    const { isDoubted, storage, records, recent, onDoubt } = this.parts
    const now = await records.read(cid, deadline, headers)
    const { read, nowMs } = now
    const { gateId } = storage
    const { newToken } = opening
    const isOpen = opening.isCrowded || isDoubted(cid)
    const isKnown = recent.of(cid) !== undefined
    // An unnoticed crash, or a change outside the gate, removed it or its leases.
    const isBare = read === undefined || isUnheld(read)
    const mayDiffer = isBare || storage.mayBeReported
    if (isOpen || (mayDiffer && !isKnown && storage.mayHaveRow(cid))) {
      const row = await storage.row(cid)
      // The gate knows other gates' leases while their last writes are recent.
      const owes = isOpen && isKnown ? 'all' : this.parts.owes
      // The change starts from all that is owed, as the other holders would otherwise lose their
      // leases; of what came back from outside the gate only an operator decides.
      const owed = row?.report === 'missing' ? { ...row, report: undefined } : row
      const merging = { gateId, owes, newToken }
      const merged = owed && mergeRow(owedByChange(owed, read), read, merging, nowMs)
      const isMissing = merged?.differs === 'missing' && (isBare || row?.report === 'missing')
      const isOwed = merged !== undefined && (isOpen || isMissing)
      const record = isOwed ? merged.record : read
      return { ...now, record, rowEndMs: row?.expiresMs, foreign: undefined }
    }
    const merging = { gateId, owes: this.parts.owes, newToken }
    const { record, isMissing, foreign } = recent.over(cid, now, merging)
    if (isMissing) onDoubt(cid, 'not-found')
    return { ...now, record, rowEndMs: recent.of(cid)?.row.expiresMs, foreign }
  }

  /** Whether every peer has the pin; unknown if half of the remaining time is not enough. */
  async isFinished(cid: string, deadline: Deadline, headers?: RequestHeaders): Promise<Finished> {
    const { cluster, monotonic } = this.parts
    const half = new Deadline(deadline.leftMs / 2, monotonic)
    try {
      return await cluster.isFinished(cid, half, headers)
    } catch (error) {
      if (error instanceof ClusterFault) return 'unknown'
      throw error
    }
  }

  /**
   * Reads a pin and changes it, without a client's request.
   *
   * @throws ClusterFault; DefiniteRefusal; LockTimeout, StoreFault, LedgerFault
   */
  async change(cid: string, change: DecideChange): Promise<void> {
    const deadline = this.deadline()
    const pin = await this.open(cid, deadline)
    const wanted = await tried(pin, (pin) => change(pin, deadline))
    if (wanted === undefined) pin.release()
    else {
      await tried(pin, () => pin.begin(wanted))
      await this.parts.records.write(wanted, pin, deadline)
    }
  }

  /**
   * Writes a queued pin, with the number of its entry: if the encoder holds the pin by a later
   * write, nothing is needed, and a later release is not undone.
   *
   * @returns whether it was released since, so that there was nothing to write
   * @throws as {@link change}
   */
  async replay({ cid, holder, seq, isLast }: Replayed, change: DecideChange): Promise<boolean> {
    const { storage, owes } = this.parts
    const { gateId } = storage
    const deadline = this.deadline()
    // Other gates may have released a try whose answer was lost, or what it was joined with: the
    // last pin is later than all of that.
    const given: GivenSeq = () => (owes === 'own' && isLast() ? undefined : seq)
    const pin = await this.open(cid, deadline, undefined, given)
    const row = await tried(pin, () => storage.row(cid))
    const isLater = (token: string | undefined): boolean => (ownSeq(token, gateId) ?? -1) >= seq
    const lease = pin.record?.leases.find((own) => own.holder === holder)
    const isKept = lease !== undefined && (changeSeqOf(lease, gateId) ?? -1) >= seq
    // An earlier try has landed, though its answer was lost, and the holder has replaced it since.
    const isReplaced = !isKept && lease?.replaces?.some(isLater) === true
    if (isReplaced || isReleasedSince(row, holder, seq)) {
      pin.release()
      return !isReplaced
    }
    if (pin.record !== undefined && isKept && !isJoined(lease, gateId) && pin.isThere) {
      // The answer to that write may have been lost: from now on the row owes its lease.
      await pin.settle(pin.record, { kind: 'written', writtenMs: pin.record.writtenMs })
      return false
    }
    const wanted = await tried(pin, (pin) => change(pin, deadline))
    const target = isKept ? pin.record : noShorter(wanted, lease, gateId)
    if (wanted === undefined || target === undefined) pin.release()
    else await this.parts.records.write(target, pin, deadline)
    return false
  }

  /**
   * The cluster unpinned a pin by a path, and only now knows which pin that is: it is no longer
   * owed.
   *
   * @throws LedgerFault, LockTimeout, StoreFault; ClusterFault: it is in doubt
   */
  async unpinnedByPath(cid: string): Promise<void> {
    const { pins, records, storage, onDoubt } = this.parts
    onDoubt(cid, 'unknown-outcome')
    const deadline = this.deadline()
    const pin = await pins.open(cid, deadline, async () => {
      const now = await records.read(cid, deadline)
      const row = now.read === undefined ? await storage.row(cid) : undefined
      const open = row && { ...row, report: undefined }
      const merging = { gateId: storage.gateId, owes: 'all' } as const
      return { ...now, record: open && mergeRow(open, undefined, merging, now.nowMs).record }
    })
    const kept = pin.record && pin.settle('unpin', { kind: 'unpinned' })
    pin.release()
    await kept
  }

  /**
   * The cluster pinned by a path, and may have replaced a pin of others: restores their leases and
   * options, as its encoder does not become a holder.
   *
   * @throws LedgerFault, LockTimeout, StoreFault, ClusterFault: later, a doubt restores the leases
   */
  async pinnedByPath(cid: string, by: string): Promise<void> {
    const { pins, records, storage, owes } = this.parts
    pins.doubtAtAllGates(cid)
    const deadline = this.deadline()
    const found = { isOthers: false }
    const pin = await pins.open(cid, deadline, async ({ newToken }) => {
      const now = await records.read(cid, deadline)
      const row = await storage.row(cid)
      const merging = { gateId: storage.gateId, owes, newToken }
      const record = row && mergeRow(row, now.read, merging, now.nowMs).record
      // What was changed outside the gate is the operator's to decide.
      const isOthers =
        row?.report === undefined &&
        record?.leases.some(({ holder }) => holder !== by && holder !== operator)
      if (row === undefined || record === undefined || isOthers !== true)
        return { ...now, record: now.read }
      found.isOthers = true
      return { ...now, record: { ...record, options: row.options } }
    })
    if (pin.record !== undefined && found.isOthers) await records.write(pin.record, pin, deadline)
    else pin.release()
  }

  private deadline(): Deadline {
    return new Deadline(this.parts.timeoutMs(), this.parts.monotonic)
  }
}

/**
 * Another gate wrote the holder's lease, or the one that an earlier entry replaced, perhaps later
 * than this entry, so it must not become shorter. It gets a token of this gate in any case: the
 * other gate may have released its own lease, and a crash of the cluster may have returned that.
 */
function noShorter(wanted: Wanted, lease: Lease | undefined, gateId: string): Wanted {
  if (wanted === undefined || wanted === 'unpin' || lease?.token === undefined) return wanted
  if (tokensOf(lease).every((token) => ownSeq(token, gateId) !== undefined)) return wanted
  const leases = wanted.leases.map((own) =>
    own.holder === lease.holder ? { ...own, untilMs: Math.max(own.untilMs, lease.untilMs) } : own,
  )
  return { ...wanted, leases, expiresMs: latestEnd(leases) }
}

const unopened: Opening = { isCrowded: false, newToken: undefined }

const overwritten = {
  hand: 'a pin was written outside the gate, without its leases; the holders keep them',
  gate: 'another writer changed the leases of a pin: two gates need a shared store',
}
