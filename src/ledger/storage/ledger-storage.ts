/** The ledger's storage: a file in the daemon, memory in the simulation. */
import type { KnownCluster } from '../cluster-port.js'
import type { Doubt, DoubtReason } from '../doubt.js'
import type { News } from '../news.js'
import type { QueueEntry } from '../queue-entry.js'
import type { Owes } from '../merge.js'
import type { LedgerRow } from '../row.js'

/** A change of the ledger; those of one commit are kept together or not at all. */
export type LedgerOperation =
  | { readonly kind: 'row'; readonly row: LedgerRow }
  /** The same sequence once more replaces the entry. */
  | { readonly kind: 'enqueue'; readonly entry: QueueEntry }
  | { readonly kind: 'dequeue'; readonly seq: number }
  | { readonly kind: 'doubt'; readonly doubt: Doubt }
  | { readonly kind: 'settle'; readonly cid: string; readonly reason: DoubtReason }
  /** Another gate has to know it; and has it on its disk, with all that came before. */
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'delivered'; readonly gateId: string; readonly upTo: number }
  /** Another gate of the cluster was seen; or is gone for good, as an operator says. */
  | { readonly kind: 'gate'; readonly gateId: string; readonly isForgotten: boolean }
  /**
   * The name of a holder, for `init` and for a person who reads the file; empty: it has none any
   * more.
   */
  | { readonly kind: 'name'; readonly holder: string; readonly name: string }
  /** What an older release kept in files of its own is in the ledger now. */
  | { readonly kind: 'taken-over'; readonly files: string }
  /** What was written to another cluster is only what was seen from now on. */
  | { readonly kind: 'cluster'; readonly cluster: KnownCluster; readonly isAnother: boolean }
  | { readonly kind: 'walks'; readonly walks: PendingWalks }

/** What is still to be verified: a run that is killed before hands it on. */
export interface PendingWalks {
  /** Of the last row at each event that a walk has still to look behind; ascending. */
  readonly places: readonly number[]
  /** Whether the machine ended without an orderly stop before the first of them. */
  readonly isRebooted: boolean
}

/** The disk does not take it, or the ledger is full. */
export class LedgerFault extends Error {
  override readonly name = 'LedgerFault'
  readonly reason = 'ledger-unavailable'
}

/** What an earlier run left. */
export interface LedgerContents {
  readonly queue: readonly QueueEntry[]
  readonly doubts: readonly Doubt[]
  /** What other gates do not have yet, in order. */
  readonly outbox: readonly News[]
  /** Other gates of the cluster that were ever seen, and are not gone for good. */
  readonly gates: readonly string[]
  /** It is kept in memory, and ends with the process. */
  readonly isVolatile: boolean
  /** Leases that have not run out, by holder. */
  readonly counts: ReadonlyMap<string, number>
  /** The highest place of a row. */
  readonly lastRow: number
  /** When the cluster's whole state was last compared, in ms since the epoch; undefined: never. */
  readonly comparedMs: number | undefined
  /**
   * Whether the cluster has what the ledger may not know: the file is new, a run was killed, or a
   * damaged ledger was set aside, and no comparison has ended since.
   */
  readonly isIncomplete: boolean
  /** Whether the run before closed it. */
  readonly wasClosed: boolean
  /** Whether the machine started anew since then. */
  readonly isRebooted: boolean
  /** It is a backup that `ledger trust` has not made the ledger: nothing is repaired by it. */
  readonly isCopy: boolean
  /** The files of an older release that were taken over, as they were then; undefined: none. */
  readonly takenOver: string | undefined
  /** Undefined: no cluster is known so far. */
  readonly cluster: KnownCluster | undefined
  /** Undefined: nothing was left to verify. */
  readonly walks: PendingWalks | undefined
}

export interface LedgerStorage {
  readonly gateId: string
  readonly contents: LedgerContents
  /**
   * The next number of the order; none is given out twice, also not after a crash.
   *
   * @throws LedgerFault when the disk has not taken the next range of them
   */
  nextSeq(): number
  /** Resolves when it is on the disk. @throws LedgerFault */
  commit(operations: readonly LedgerOperation[]): Promise<void>
  /**
   * On the disk within 50 ms, and no request waits for it. What the disk does not take is kept and
   * tried again, up to a bound.
   *
   * @returns resolves when it is on the disk; never rejects
   */
  note(operations: readonly LedgerOperation[]): Promise<void>
  /**
   * False while the disk takes nothing new, or too much waits for it. A commit without a new entry
   * of the queue is tried all the same: a release has space that is kept back.
   */
  readonly isWritable: boolean
  /** False: there is no row of the CID. */
  mayHaveRow(cid: string): boolean
  /** As it is on the disk, or waits for it. */
  row(cid: string): Promise<LedgerRow | undefined>
  /** Rows in the order of this gate's writes, the newest first. @param before exclusive */
  newest(before: number, count: number): Promise<readonly LedgerRow[]>
  /**
   * CIDs that a holder has leases of, in a stable order.
   *
   * @param after any CID: the last of the page before
   */
  held(holder: string, after: string | undefined, count: number): Promise<readonly string[]>
  /** How many; as of the last batch that the disk took, before its promises resolve. */
  count(holder: string): number
  /** Leases that ran out are counted no more, as far as the disk takes it. */
  countNow(): Promise<void>
  /**
   * Begins a comparison with the cluster's whole state; one at a time.
   *
   * @param owes of all gates when absent
   */
  compare(owes?: Owes): Promise<WholeComparison>
  close(): Promise<void>
}

/** A comparison of the ledger with the cluster's whole state, which comes in lines. */
export interface WholeComparison {
  /** @param lines records as `/allocations` gives them, each a line of JSON */
  see(lines: readonly string[]): Promise<void>
  /**
   * All of the state was seen: what was not is missing. Rows that were written since the beginning,
   * that are in doubt or wait in the queue stay as they are.
   */
  end(): Promise<ComparedState>
  /** The state was not seen to its end: what was adopted stays, nothing is missing. */
  abandon(): Promise<void>
}

export interface ComparedState {
  readonly pins: number
  readonly leases: number
  /** Records whose leases the ledger did not know, or knew otherwise. */
  readonly adopted: number
  /** Rows that the cluster does not have: a hand removed them. */
  readonly missing: number
}
