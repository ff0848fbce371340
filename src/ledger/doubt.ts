/**
 * Reasons for a doubt, whether the cluster has what the ledger owes, and the times of its checks.
 */

/**
 * Delays after the event until the gate checks the CID. A doubt ends with the last check in which
 * record and ledger agreed; a failed check is repeated.
 */
const delays = {
  /** The answer to a write was lost, or was an error: it may land as long as a peer hangs. */
  'unknown-outcome': [1000, 10_000, 60_000, 300_000, 900_000],
  /**
   * The cluster's sweep lists expired pins, and unpins them later without another check. A sweep
   * comes every five minutes, and takes some time.
   */
  'near-sweep': [5000, 30_000, 120_000, 360_000, 900_000],
  /** The lock among gates ended early: another gate may have written at the same time. */
  'lock-lost': [200, 2000, 10_000, 40_000],
  /** The gate was killed before, perhaps in the middle of a write that still lands. */
  'after-crash': [60_000, 900_000],
  /** The gate was killed while it released a lease: on the disk before the cluster is asked. */
  'in-flight': [1000, 10_000, 60_000, 300_000, 900_000],
  /** A peer is back that was down when this was written: its older writes may win. */
  'peer-back': [10_000, 60_000, 300_000, 600_000],
  /** The cluster lacks what was just written: with CRDT batching it may show it soon. */
  'not-found': [10_000, 60_000, 300_000],
} as const

export type DoubtReason = keyof typeof delays

/** A write without an answer may still land for this long. */
export const landingMs = 900_000

export const doubtDelays: Readonly<Record<DoubtReason, readonly number[]>> = delays

/** When its last check is due, if nothing differs meanwhile; in milliseconds since the epoch. */
export const doubtEnd = ({ reason, attempt, dueMs }: Doubt): number =>
  dueMs + (doubtDelays[reason].at(-1) ?? 0) - (doubtDelays[reason][attempt] ?? 0)

export interface Doubt {
  readonly cid: string
  readonly reason: DoubtReason
  /** Number of checks so far. */
  readonly attempt: number
  /** When the next one is due, in milliseconds since the epoch. */
  readonly dueMs: number
}
