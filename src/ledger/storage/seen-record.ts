/** What a record, as the cluster's whole state has it, says of the ledger's row. */
import type { Lease } from '../../leases/lease.js'
import type { PinRecord } from '../../leases/pin-record.js'
import { mergeRow, type Merging, owedBy, ownSeq } from '../merge.js'
import type { LedgerRow } from '../row.js'

export interface SeenRow {
  /** Undefined: the row is as it was. */
  readonly row: LedgerRow | undefined
  /** Whether there were leases that the ledger did not know, or knew otherwise. */
  readonly isAdopted: boolean
}

/**
 * Leases that the ledger does not know are adopted. What it owes stays owed, also where the record
 * does not have it: that, and what was released and is there, is reported.
 */
export function compareRow(
  known: LedgerRow | undefined,
  record: PinRecord,
  merging: Merging,
  now: number,
): SeenRow {
  const { gateId } = merging
  const { cid, isDirect, options } = record
  const merged = known && mergeRow({ ...known, report: undefined }, record, merging, now)
  const report = merged?.differs
  const leases = report === undefined ? record.leases : (merged?.record?.leases ?? [])
  const news = leases.filter((lease) => !has(known?.leases ?? [], lease))
  const row: LedgerRow = {
    cid,
    // Of a write whose row was lost with a killed gate: a walk has to look at it as well.
    seq: Math.max(known?.seq ?? 0, ...news.map(({ token }) => ownSeq(token, gateId) ?? 0)),
    atMs: known?.atMs ?? (Number.isNaN(record.writtenMs) ? now : record.writtenMs),
    isDirect,
    options,
    leases,
    former: leases.length > 0 ? [] : record.former,
    expiresMs: record.expiresMs,
    released: known?.released ?? [],
    ...(report !== undefined && { report }),
  }
  const isChanged = known === undefined || textOf(row) !== textOf(known)
  return { row: isChanged ? row : undefined, isAdopted: news.length > 0 }
}

/** The same where the cluster has nothing of it: what is owed is missing, what is not is over. */
export function withoutRecord(
  row: LedgerRow,
  merging: Merging,
  now: number,
): LedgerRow | undefined {
  const isLive = ({ untilMs }: Lease): boolean => untilMs > now
  if (owedBy(row, merging).some(isLive))
    return row.report === 'missing' ? undefined : { ...row, report: 'missing' }
  return row.leases.some(isLive) ? { ...row, leases: [] } : undefined
}

const has = (leases: readonly Lease[], { holder, token, untilMs }: Lease): boolean =>
  leases.some(
    (other) => other.holder === holder && other.token === token && other.untilMs === untilMs,
  )

const byHolder = (one: Lease, other: Lease): number => (one.holder < other.holder ? -1 : 1)

/** What a comparison may change, as JSON; the order of the holders says nothing. */
function textOf({ isDirect, options, leases, former, expiresMs, report }: LedgerRow): string {
  const endsOf = (all: readonly Lease[]) =>
    all
      .toSorted(byHolder)
      .map(({ holder, sinceMs, untilMs, token }) => [holder, sinceMs, untilMs, token])
  return JSON.stringify([isDirect, options, endsOf(leases), endsOf(former), expiresMs, report])
}
