/** Compares a record of the cluster's whole state with the ledger's row. */
import type { Lease } from '../../leases/lease.js'
import type { PinRecord } from '../../leases/pin-record.js'
import { mergeRow, type Merging, owesEncoder, ownSeq } from '../merge.js'
import type { LedgerRow } from '../row.js'
import { lagMs } from './recent-places.js'

/** The input of one comparison. */
export interface Comparing extends Merging {
  /** When it began, and now, in milliseconds since the epoch. */
  readonly startMs: number
  readonly nowMs: number
  /** Rows after this place were written recently: see {@link RecentPlaces}. */
  readonly recentAfter: number
}

/**
 * The state may be older than the write. The time tells this of writes of other gates and of an
 * earlier run, the place of this run's, which a step of the clock may have made look old.
 */
const isRecent = (row: LedgerRow | undefined, { startMs, recentAfter }: Comparing): boolean =>
  row !== undefined && (row.seq > recentAfter || row.atMs > startMs - lagMs)

export interface SeenRow {
  /** Undefined: the row stays unchanged. */
  readonly row: LedgerRow | undefined
  /** How the record differs, if the ledger does not report that yet. */
  readonly differs: 'missing' | 'unexpected' | undefined
  /** Whether the record had leases that the ledger did not know, or knew with other ends. */
  readonly isAdopted: boolean
  /** Whether this gate wrote one of these: it was killed before its row was on the disk. */
  readonly isLostWrite: boolean
}

/**
 * Adopts leases that the ledger does not know. Owed leases stay owed, even if the record lacks
 * them; the row then reports that, as it reports released leases that the record has.
 */
export function compareRow(
  known: LedgerRow | undefined,
  record: PinRecord,
  comparing: Comparing,
): SeenRow {
  const { gateId, nowMs: now } = comparing
  const { cid, isDirect, options } = record
  const merged = known && mergeRow({ ...known, report: undefined }, record, comparing, now)
  const differs = merged?.differs
  const report = isRecent(known, comparing) ? known?.report : differs
  const leases = differs === undefined ? record.leases : (merged?.record?.leases ?? [])
  const news = leases.filter((lease) => !has(known?.leases ?? [], lease))
  // What agrees is not of a copy any more.
  const place = Math.max(known?.seq ?? 0, report === undefined ? 0 : -1)
  const row: LedgerRow = {
    cid,
    // A killed gate lost the row of this write, and a walk also has to verify it.
    seq: Math.max(place, ...news.map(({ token }) => ownSeq(token, gateId) ?? -1)),
    atMs: known?.atMs ?? (Number.isNaN(record.writtenMs) ? now : record.writtenMs),
    isDirect,
    options,
    leases,
    former: leases.length > 0 ? [] : record.former,
    expiresMs: record.expiresMs,
    released: known?.released ?? [],
    ...(report !== undefined && { report }),
  }
  const isChanged = row.seq !== known?.seq || textOf(row) !== textOf(known)
  const isLostWrite = news.some(({ token }) => ownSeq(token, gateId) !== undefined)
  return {
    row: isChanged ? row : undefined,
    differs: known?.report === differs ? undefined : differs,
    isAdopted: news.length > 0,
    isLostWrite,
  }
}

/** The same for a pin that the cluster lacks: if an encoder holds it, it is missing, else over. */
export function withoutRecord(
  row: LedgerRow,
  comparing: Comparing,
): Pick<SeenRow, 'row' | 'differs'> {
  const { nowMs } = comparing
  const isOld = !isRecent(row, comparing)
  const isLive = ({ untilMs }: Lease): boolean => untilMs > nowMs
  if (!owesEncoder(row, comparing, nowMs)) {
    const isOver = isOld && row.leases.some(isLive)
    return { row: isOver ? { ...row, leases: [] } : undefined, differs: undefined }
  }
  if (row.report === 'missing') return { row: undefined, differs: undefined }
  return { row: isOld ? { ...row, report: 'missing' } : undefined, differs: 'missing' }
}

const has = (leases: readonly Lease[], { holder, token, untilMs }: Lease): boolean =>
  leases.some(
    (other) => other.holder === holder && other.token === token && other.untilMs === untilMs,
  )

const byHolder = (one: Lease, other: Lease): number => (one.holder < other.holder ? -1 : 1)

/** The parts that a comparison may change, as JSON; the order of holders does not matter. */
function textOf({ isDirect, options, leases, former, expiresMs, report }: LedgerRow): string {
  const endsOf = (all: readonly Lease[]) =>
    all
      .toSorted(byHolder)
      .map(({ holder, sinceMs, untilMs, token }) => [holder, sinceMs, untilMs, token])
  return JSON.stringify([isDirect, options, endsOf(leases), endsOf(former), expiresMs, report])
}
