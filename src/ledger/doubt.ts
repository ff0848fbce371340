/** Why it is not known whether the cluster has what the ledger owes, and when it is looked at. */

/**
 * Delays after the event at which the CID is looked at. A doubt ends with the last look at which
 * record and ledger agreed; what could not be seen is looked at again.
 */
const delays = {
  /** The answer to a write was lost, or came as an error: it may land as late as a peer hangs. */
  'unknown-outcome': [1000, 10_000, 60_000, 300_000, 900_000],
  /**
   * The cluster's sweep lists what has expired, and unpins it later without looking again. One
   * comes every five minutes, and takes its time.
   */
  'near-sweep': [5000, 30_000, 120_000, 360_000, 900_000],
  /** The lock among gates ended early: another gate may have written at the same time. */
  'lock-lost': [200, 2000, 10_000, 40_000],
  /** The gate was killed before, perhaps in the middle of a write that still lands. */
  'after-crash': [60_000, 900_000],
  /** The cluster does not know what was just written. */
  'not-found': [30_000, 300_000],
} as const

export type DoubtReason = keyof typeof delays

/** So long after a write of which nothing was heard it may still land. */
export const landingMs = 900_000

export const doubtDelays: Readonly<Record<DoubtReason, readonly number[]>> = delays

export interface Doubt {
  readonly cid: string
  readonly reason: DoubtReason
  /** How many looks were made. */
  readonly attempt: number
  /** When the next one is due, in milliseconds since the epoch. */
  readonly dueMs: number
}
