/** Stores rows of the ledger as compact columns, as there is a row for each pin. */
import { base32 } from 'multiformats/bases/base32'
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Parameter } from '../../cluster/query.js'
import { type Lease, latestEnd, tokensOf } from '../../leases/lease.js'
import { dayMs } from '../../time/units.js'
import type { LedgerRow, Released } from '../row.js'
import { takeDownOf } from '../take-down.js'

/** The CID's bytes if they yield the same text again: three indexes hold the CID. */
export function cidColumn(cid: string): Uint8Array | string {
  if (!cid.startsWith('b')) return cid
  try {
    return base32.decode(cid)
  } catch {
    return cid
  }
}

export const cidText = (column: SQLOutputValue | undefined): string =>
  column instanceof Uint8Array ? base32.encode(column) : String(column)

export type Columns = Readonly<Record<string, SQLOutputValue>>

/** The options of most pins. */
const defaultOptions = '[["replication-min","-1"],["replication-max","-1"]]'

/** Values without the CID, in the order of {@link columnNames}. */
export function columnsOf(row: LedgerRow, now: number): SQLInputValue[] {
  const options = JSON.stringify(row.options)
  return [
    row.seq,
    Math.round(row.atMs),
    row.isDirect ? 1 : 0,
    options === defaultOptions ? null : options,
    leasesText(row.leases),
    leasesText(row.former),
    row.expiresMs === Infinity ? null : Math.round(row.expiresMs),
    row.released.length === 0 ? null : JSON.stringify(row.released.map(releasedArray)),
    row.report ?? null,
    dueOf(row, now),
  ]
}

export const columnNames = [
  'seq',
  'at',
  'direct',
  'options',
  'leases',
  'former',
  'expires',
  'released',
  'report',
  'due',
] as const

/** @throws if the disk has damaged the row */
export function rowOf(columns: Columns): LedgerRow {
  const { cid, seq, at, direct, options, leases, former, expires, released, report } = columns
  return {
    cid: cidText(cid),
    seq: Number(seq),
    atMs: Number(at),
    isDirect: direct === 1,
    options: JSON.parse(textOf(options) ?? defaultOptions) as Parameter[],
    leases: readLeases(leases),
    former: readLeases(former),
    expiresMs: expires === null ? Infinity : Number(expires),
    released: releasedIn(released),
    ...((report === 'missing' || report === 'unexpected') && { report }),
  }
}

/** @throws if the row is damaged */
export const releasedIn = (column: SQLOutputValue | undefined): readonly Released[] =>
  (JSON.parse(textOf(column) ?? '[]') as ReleasedArray[]).map(([holder, token, seq]) => ({
    holder,
    token,
    seq,
  }))

/** A row without a valid lease stays this long. */
const keptMs = dayMs

/** When the row next changes by itself; null: never. */
export function dueOf(row: LedgerRow, now: number): number | null {
  const live = row.leases.filter(({ untilMs }) => untilMs > now)
  if (live.length > 0) return finite(Math.min(...live.map(({ untilMs }) => untilMs)))
  return finite(overMs(row) + keptMs)
}

/** Whether the row has been over for a day. */
export const isOver = (row: LedgerRow, now: number): boolean => overMs(row) + keptMs <= now

/** A pin that an operator took down keeps its row. */
const overMs = (row: LedgerRow): number =>
  takeDownOf(row) === undefined
    ? Math.max(row.atMs, latestEnd(row.leases), row.former.length > 0 ? row.expiresMs : -Infinity)
    : Infinity

const finite = (ms: number): number | null => (Number.isFinite(ms) ? Math.ceil(ms) : null)

type LeaseArray = readonly [
  holder: string,
  since: number,
  until: number | null,
  ...tokens: readonly string[],
]
type ReleasedArray = readonly [holder: string, token: string, seq: number]

/** A lease of an older release has no token. */
export type TokenLease = Lease & { readonly token?: string | undefined }

const releasedArray = ({ holder, token, seq }: Released): ReleasedArray => [holder, token, seq]

/** Times in seconds, as in the cluster. */
function leasesText(leases: readonly TokenLease[]): string | null {
  if (leases.length === 0) return null
  const arrays = leases.map((lease): LeaseArray => {
    const { holder, sinceMs, untilMs } = lease
    return [
      holder,
      sinceMs / 1000,
      untilMs === Infinity ? null : untilMs / 1000,
      ...tokensOf(lease),
    ]
  })
  return JSON.stringify(arrays)
}

export function readLeases(column: SQLOutputValue | undefined): TokenLease[] {
  const arrays = JSON.parse(textOf(column) ?? '[]') as LeaseArray[]
  return arrays.map(([holder, since, until, token, ...replaces]) => ({
    holder,
    sinceMs: Math.round(since * 1000),
    untilMs: until === null ? Infinity : Math.round(until * 1000),
    ...(token !== undefined && { token }),
    ...(replaces.length > 0 && { replaces }),
  }))
}

const textOf = (column: SQLOutputValue | undefined): string | undefined =>
  typeof column === 'string' ? column : undefined
