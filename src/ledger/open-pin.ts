/** A pin during a change: its state, its next state, and the release of its lock. */
import { ClusterFault, type FaultReason } from '../cluster/faults.js'
import { isDefinite } from './definite-refusal.js'
import type { Lease } from '../leases/lease.js'
import type { NewRecord, PinRecord } from '../leases/pin-record.js'

/** The next state of a pin; undefined: it stays unchanged. */
export type Wanted = NewRecord | 'unpin' | undefined

/** Whether a holder has no lease any more then, or less time than before. */
export function takesFrom(before: PinRecord | undefined, wanted: Wanted): boolean {
  if (wanted === undefined) return false
  const leases = wanted === 'unpin' ? [] : wanted.leases
  const isKept = ({ holder, untilMs }: Lease): boolean =>
    leases.some((lease) => lease.holder === holder && lease.untilMs >= untilMs)
  return before?.leases.every(isKept) === false
}

export const unpinned = (cid: string): NewRecord => ({
  cid,
  isDirect: false,
  options: [],
  leases: [],
  expiresMs: Infinity,
})

/** Outcome of a write. */
export type WriteOutcome =
  /** @property writtenMs the record's timestamp, by the cluster's clock */
  | { readonly kind: 'written'; readonly writtenMs: number }
  /** The pin is not in the pinset now. */
  | { readonly kind: 'unpinned' }
  /** The cluster refused the request, or was not asked: nothing was changed. */
  | { readonly kind: 'refused' }
  /** The write may have landed, may still land, or is lost. */
  | { readonly kind: 'unknown' }

/** A pin under its locks: no other change begins until it is released. */
export interface OpenPin {
  readonly cid: string
  /** Undefined: it is not in the pinset. */
  readonly record: PinRecord | undefined
  /** Whether the cluster has any record of it. */
  readonly isThere: boolean
  /** False: another gate may change it at the same time, as the store is down. */
  readonly isLocked: boolean
  /** The version of the leases that this change makes. */
  readonly token: string
  /** The number of the change, in the order of tokens. */
  readonly seq: number
  /**
   * By the earlier of this host's clock and the cluster's, in milliseconds since the epoch: a lease
   * has expired only when both say so.
   */
  readonly nowMs: number
  /**
   * What a new lease follows, by tokens, although neither its time nor the record shows that: a
   * take-down; while a write may land, all that other gates wrote by now.
   */
  readonly after: readonly string[]
  /**
   * Puts a doubt on the disk, until the lock ends, before the cluster is asked for a change that
   * ends or shortens a lease. If the gate is killed meanwhile, only that tells the next run of it.
   *
   * @returns undefined: the change neither ends nor shortens a lease
   * @throws LedgerFault
   */
  readonly begin: (wanted: Wanted) => Promise<void> | undefined
  /**
   * Reports the outcome of the change, and releases the lock.
   *
   * @returns resolves when the ledger has it on the disk, if the client's answer has to wait for
   *   that
   */
  readonly settle: (wanted: Wanted, outcome: WriteOutcome) => Promise<void> | undefined
  /**
   * Its holder unpinned it. If the record lacks the lease, and a write may land, or if the cluster
   * or the store was down lately, another gate may still owe one, so it hears of that.
   *
   * @returns resolves when the message is on the disk; undefined: no gate has to hear of it
   */
  readonly releaseUnseen: (holder: string) => Promise<void> | undefined
  /**
   * Releases the lock without a change at the cluster.
   * @param isTold the row changed, and other gates find it beside the lock
   */
  readonly release: (isTold?: boolean) => void
}

/** A change that throws releases the pin. */
export async function tried<T>(pin: OpenPin, change: (pin: OpenPin) => T): Promise<Awaited<T>> {
  try {
    return await change(pin)
  } catch (error) {
    pin.release()
    throw error
  }
}

/** @param text of the answer, if it was complete */
export function outcomeOf(method: string, status: number, text: string | undefined): WriteOutcome {
  if (method === 'DELETE' && (status === 200 || status === 404)) return { kind: 'unpinned' }
  if (isDefinite(status, method === 'POST' ? (text ?? '') : '')) return { kind: 'refused' }
  const writtenMs = status === 200 && text !== undefined ? timestampIn(text) : undefined
  return writtenMs === undefined ? { kind: 'unknown' } : { kind: 'written', writtenMs }
}

/** For a write without an answer. */
export const outcomeOfFault = (error: Error): WriteOutcome =>
  error instanceof ClusterFault && neverSent.has(error.reason)
    ? { kind: 'refused' }
    : { kind: 'unknown' }

/** The request was never sent. */
const neverSent: ReadonlySet<FaultReason> = new Set(['cluster-busy', 'cluster-down'])

const timestamp = '"timestamp":"'

/** Only part of a record's text, which is long: the rest is what was sent. */
function timestampIn(text: string): number | undefined {
  const start = text.lastIndexOf(timestamp) + timestamp.length
  if (start < timestamp.length) return undefined
  const ms = Date.parse(text.slice(start, text.indexOf('"', start)))
  return Number.isNaN(ms) ? undefined : ms
}
