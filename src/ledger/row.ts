/**
 * A row of the ledger, for one CID: the leases that the cluster's record owes, and the released
 * ones.
 */
import { createHash } from 'node:crypto'
import type { Parameter } from '../cluster/query.js'
import { isNoLater, isSameVersion, type Lease, tokensOf } from '../leases/lease.js'

export interface LedgerRow {
  readonly cid: string
  /**
   * The place in the order of this gate's writes: a write and a repair move the row to the end, as
   * a cluster that is killed forgets what it was sent last. 0: this gate has only seen the record;
   * -1: so it was when a backup was made, or in another cluster, and its leases may have ended.
   */
  readonly seq: number
  /**
   * When it was written, or another gate released a lease of it, in milliseconds since the epoch;
   * never for the order.
   */
  readonly atMs: number
  readonly isDirect: boolean
  /** Everything of the record but the mode, the expiry and the gate's own entries. */
  readonly options: readonly Parameter[]
  /** Owed to their holders, with their tokens. */
  readonly leases: readonly Lease[]
  /** Former holders of a soft-deleted pin. */
  readonly former: readonly Lease[]
  /** When the record expires; Infinity: never. */
  readonly expiresMs: number
  /** Leases that their holders released: the only ones that a repair may remove. */
  readonly released: readonly Released[]
  /** How the record was changed outside the gate; only an operator decides on it. */
  readonly report?: 'missing' | 'unexpected' | undefined
}

/** Beyond this number the oldest are forgotten, but not the last take-down, which is final. */
const releasedMax = 64

/** Of a take-down: no lease has such a holder. */
export const everyHolder = '*'

/**
 * Earlier releases remain, even if a later write does not mention them, except for a lease that was
 * restored outside the gate and that a write has kept since, and for what a later release includes.
 * Those of before a take-down tell what it ended.
 */
export function withReleased(row: LedgerRow, before: readonly Released[]): LedgerRow {
  const named = [...row.released, ...row.leases]
  const takeDownAt = before.findLastIndex(({ holder }) => holder === everyHolder)
  const isNamed = (old: Released): boolean => named.some((known) => isSameVersion(known, old))
  const isIncluded = (old: Released): boolean =>
    row.released.some((gone) => gone.holder === old.holder && includes(gone, old))
  const older = before.filter((old, at) => !isNamed(old) && (at <= takeDownAt || !isIncluded(old)))
  const all = [...older, ...row.released]
  if (older.length === 0 && all.length <= releasedMax) return row
  const kept = all.slice(-releasedMax)
  const down = all.findLast(({ holder }) => holder === everyHolder)
  const isKept = down === undefined || kept.includes(down)
  return { ...row, released: isKept ? kept : [down, ...kept.slice(1)] }
}

const includes = (gone: Released, old: Released): boolean =>
  gone.seq >= old.seq && isNoLater(old.token, gone.token)

/** The version of a row, for plans: another place or other leases make another version. */
export function rowVersion({ seq, leases }: LedgerRow): string {
  const said = leases.map(({ holder, token, untilMs }) => [holder, token, untilMs])
  const digest = createHash('sha256').update(JSON.stringify([seq, said]))
  return digest.digest('base64url').slice(0, 16)
}

export interface Released {
  readonly holder: string
  /** As in the metadata. */
  readonly token: string
  /** Number of the release, in the order of tokens. */
  readonly seq: number
}

/**
 * Leases that end with these: they themselves, and those of other gates that they replaced, each
 * once.
 */
export function releasedOf(
  leases: readonly Pick<Lease, 'holder' | 'token' | 'replaces'>[],
  seq: number,
): readonly Released[] {
  const all = leases.flatMap((lease) =>
    tokensOf(lease).map((token) => ({ holder: lease.holder, token, seq })),
  )
  return [...new Map(all.map((each) => [`${each.holder} ${each.token}`, each])).values()]
}
