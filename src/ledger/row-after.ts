/** The row after a change: the leases that it leaves, and those that it ended. */
import { isSameVersion, type Lease } from '../leases/lease.js'
import type { NewRecord, PinRecord } from '../leases/pin-record.js'
import { type LedgerRow, type Released, releasedOf } from './row.js'

export interface RowChange {
  /** Before it. */
  readonly record: PinRecord | undefined
  /** Leases of the last write that is known here: the record need not be the latest. */
  readonly known: readonly Lease[]
  /** Of the leases that it makes. */
  readonly token: string
  readonly seq: number
  readonly nowMs: number
}

/** @returns without its place */
export function rowAfter(
  after: NewRecord,
  { record, known, token, seq, nowMs }: RowChange,
): Omit<LedgerRow, 'seq' | 'atMs'> {
  const { cid, isDirect, options, leases, former = [], expiresMs } = after
  const isKept = (old: Lease): boolean => leases.some((lease) => isSameVersion(lease, old))
  // An expired lease was not released: the holder's queued pins still count.
  const isReplaced = ({ holder }: Lease): boolean =>
    leases.some((own) => own.holder === holder)
      ? leases.some((own) => isSameVersion(own, { holder, token }))
      : holdersIn(record, nowMs).includes(holder)
  const gone = [...(record?.leases ?? []), ...known.filter(isReplaced)].filter(
    (old) => !isKept(old) && old.untilMs > nowMs,
  )
  const released = releasedOf(gone, seq)
  return { cid, isDirect, options, leases, former, expiresMs, released }
}

/** What the leases of a change replace besides what was seen, by the tokens that they name. */
export const replacedUnseen = (
  { leases }: NewRecord,
  { token, seq }: Pick<RowChange, 'token' | 'seq'>,
  seen: readonly Released[],
): readonly Released[] =>
  leases
    .filter((lease) => lease.token === token)
    .flatMap(({ holder, replaces = [] }) => replaces.map((text) => ({ holder, token: text, seq })))
    .filter((gone) => !seen.some((known) => isSameVersion(known, gone)))

export const holdersIn = (record: NewRecord | undefined, afterMs: number): readonly string[] =>
  (record?.leases ?? []).filter(({ untilMs }) => untilMs > afterMs).map(({ holder }) => holder)
