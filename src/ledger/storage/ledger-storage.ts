/** The ledger's storage: a file in the daemon, memory in the simulation. */
import type { KnownCluster } from '../cluster-port.js'
import type { Doubt, DoubtReason } from '../doubt.js'
import type { News } from '../news.js'
import type { QueueEntry } from '../queue-entry.js'
import type { Owes } from '../merge.js'
import type { LedgerRow } from '../row.js'

/** A change of the ledger; the disk takes all changes of one commit, or none. */
export type LedgerOperation =
  | { readonly kind: 'row'; readonly row: LedgerRow }
  /** An entry with the same sequence replaces the earlier one. */
  | { readonly kind: 'enqueue'; readonly entry: QueueEntry }
  | { readonly kind: 'dequeue'; readonly seq: number }
  | { readonly kind: 'doubt'; readonly doubt: Doubt }
  | { readonly kind: 'settle'; readonly cid: string; readonly reason: DoubtReason }
  /** News for another gate; and its receipt: that gate has it, and all before it, on its disk. */
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'delivered'; readonly gateId: string; readonly upTo: number }
  /** This gate saw another one; or an operator removed that gate for good. */
  | { readonly kind: 'gate'; readonly gateId: string; readonly isForgotten: boolean }
  /**
   * The name of a holder, for `init` and for a person who reads the file; empty: the holder has
   * lost it.
   */
  | { readonly kind: 'name'; readonly holder: string; readonly name: string }
  /** The ledger has taken over the files of an older release. */
  | { readonly kind: 'taken-over'; readonly files: string }
  /** From now on, rows written to another cluster count as seen only. */
  | { readonly kind: 'cluster'; readonly cluster: KnownCluster; readonly isAnother: boolean }
  | { readonly kind: 'walks'; readonly walks: PendingWalks }

/** Writes that a walk has yet to verify; the next run continues after a kill. */
export interface PendingWalks {
  /** Place of the last row at each event whose rows a walk has yet to verify; ascending. */
  readonly places: readonly number[]
  /** Whether the machine went down without a clean shutdown before the first event. */
  readonly isRebooted: boolean
}

/** The disk is not writable, or the ledger is full. */
export class LedgerFault extends Error {
  override readonly name = 'LedgerFault'
  readonly reason = 'ledger-unavailable'
}

/** The ledger's contents at a start. */
export interface LedgerContents {
  readonly queue: readonly QueueEntry[]
  readonly doubts: readonly Doubt[]
  /** News that other gates have yet to take, in order. */
  readonly outbox: readonly News[]
  /** Other gates of the cluster, except those removed for good. */
  readonly gates: readonly string[]
  /** The ledger is in memory, and ends with the process. */
  readonly isVolatile: boolean
  /** Numbers of valid leases, by holder. */
  readonly counts: ReadonlyMap<string, number>
  /** The highest place of a row. */
  readonly lastRow: number
  /** When the last comparison with the cluster's whole state ended, in ms; undefined: never. */
  readonly comparedMs: number | undefined
  /**
   * Whether the cluster may have leases that the ledger lacks: the file is new, a run was killed,
   * or a damaged ledger was set aside, and no comparison has ended since.
   */
  readonly isIncomplete: boolean
  /** Whether the previous run closed the ledger. */
  readonly wasClosed: boolean
  /** Whether the machine has rebooted since the previous run. */
  readonly isRebooted: boolean
  /** The file is a backup before its `ledger trust`: the gate makes no repairs from it. */
  readonly isCopy: boolean
  /** State of an older release's files when they were imported; undefined: none were. */
  readonly takenOver: string | undefined
  /** Undefined: the gate has not met its cluster yet. */
  readonly cluster: KnownCluster | undefined
  /** Undefined: no write is left to verify. */
  readonly walks: PendingWalks | undefined
}

export interface LedgerStorage {
  readonly gateId: string
  readonly contents: LedgerContents
  /**
   * The next number of the order; no number is used twice, not even after a crash.
   *
   * @throws LedgerFault if the disk has not taken the next range of numbers
   */
  nextSeq(): number
  /** The last number that is in use. */
  readonly lastSeq: number
  /** Resolves when all operations are on the disk. @throws LedgerFault */
  commit(operations: readonly LedgerOperation[]): Promise<void>
  /**
   * Writes within 50 ms; no request waits for that. Operations that the disk does not take wait in
   * memory for the next try, up to a bound.
   *
   * @returns resolves when all operations are on the disk; never rejects
   */
  note(operations: readonly LedgerOperation[]): Promise<void>
  /**
   * False while the disk is not writable, or too many operations wait. A commit without a new entry
   * of the queue is still tried: the reserve has space for a release.
   */
  readonly isWritable: boolean
  /** False: the CID has no row. */
  mayHaveRow(cid: string): boolean
  /** False: no row is reported as missing. */
  readonly mayBeReported: boolean
  /** The row on the disk, or the newer one that waits for the disk. */
  row(cid: string): Promise<LedgerRow | undefined>
  /** Rows in the order of this gate's writes, the newest first. @param before exclusive */
  newest(before: number, count: number): Promise<readonly LedgerRow[]>
  /**
   * CIDs of a holder's leases, in a stable order.
   *
   * @param after the last CID of the previous page; any CID will do
   */
  held(holder: string, after: string | undefined, count: number): Promise<readonly string[]>
  /** Number of leases, up to date before the promises of a batch resolve. */
  count(holder: string): number
  /** Takes expired leases out of the counts, as far as the disk allows. */
  countNow(): Promise<void>
  /**
   * Begins a comparison with the cluster's whole state; only one runs at a time.
   *
   * @param owes of all gates when absent
   */
  compare(onLostWrite: OnLostWrite, owes?: Owes): Promise<WholeComparison>
  /** Set when the next run has to begin as after a crash: an earlier run's write may still land. */
  isUnsettled: boolean
  close(): Promise<void>
}

/** Called with the CID of a write of this gate whose row was lost with a killed gate. */
export type OnLostWrite = (cid: string) => void

/** Compares the ledger with the cluster's whole state, line by line. */
export interface WholeComparison {
  /** @param lines records of `/allocations`, one JSON object per line */
  see(lines: readonly string[]): Promise<void>
  /**
   * Ends a complete comparison: owed pins that it did not see are missing. Rows written since its
   * beginning, rows in doubt and queued pins stay as they are.
   */
  end(): Promise<ComparedState>
  /** Ends an incomplete comparison: adopted leases stay, and no pin counts as missing. */
  abandon(): Promise<void>
}

export interface ComparedState {
  readonly pins: number
  readonly leases: number
  /** Records with leases that the ledger did not know, or knew with other ends. */
  readonly adopted: number
  /** Rows whose pins the cluster lacks: they were removed outside the gate. Newly reported ones. */
  readonly missing: number
  /** The same, of rows whose released leases the cluster has again. */
  readonly unexpected: number
  readonly undecided: Undecided
}

/**
 * Differences that only a later comparison decides on: of pins that were written recently, are in
 * doubt or wait in the queue.
 */
export interface Undecided {
  readonly missing: number
  readonly unexpected: number
  /** How long until a comparison decides on all of them. */
  readonly waitMs: number
}
