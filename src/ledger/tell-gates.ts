/** What a gate tells the others about a change of a pin. */
import { isSameVersion, type Lease, readToken } from '../leases/lease.js'
import type { PinRecord } from '../leases/pin-record.js'
import type { GateNews } from './gate-news.js'
import { everyHolder, type LedgerRow, type Released } from './row.js'
import type { LedgerOperation } from './storage/ledger-storage.js'

/** News of a change for the other gates. */
export type Telling = Pick<
  GateNews,
  'released' | 'writtenBy' | 'rewritten' | 'doubted' | 'takenDown'
>

export interface Teller {
  readonly news: Telling
  readonly gateId: string
  /** The pin is released, but the cluster may bring it back, without any change from outside. */
  readonly onMayReturn: (cid: string) => void
}

export interface ToldChange {
  /** The record before it. */
  readonly read: PinRecord | undefined
  /** @see ReleasedElsewhere */
  readonly writtenMs: number | undefined
}

/** Other gates that wrote leases of a record. */
export const otherWriters = (record: PinRecord | undefined, own: string): readonly string[] =>
  (record?.leases ?? []).flatMap(({ token = '' }) => {
    const gateId = readToken(token)?.gateId
    return gateId === undefined || gateId === own ? [] : [gateId]
  })

/**
 * Messages that a holder released, or replaced, what this gate does not see: each other gate ends
 * what it wrote for the holder up to its token.
 *
 * @param token of the change
 * @returns to be committed with the row
 */
export const tellUnseen = (
  cid: string,
  token: string,
  released: readonly Released[],
  { news, gateId: own }: Pick<Teller, 'news' | 'gateId'>,
): LedgerOperation[] =>
  released.flatMap((gone) => {
    const gateId = readToken(gone.token)?.gateId
    if (gateId === undefined || gateId === own) return []
    const { holder } = gone
    const all = released.filter((other) => other.holder === holder).map(({ token }) => token)
    const upTo = [...new Set([...all, token])]
    return news.released(gateId, cid, { holder, token: gone.token, upTo })
  })

/**
 * Messages for the gates that wrote the leases of a row: their release; a rewrite from memory, as
 * another gate may have released them since; or that they were overwritten.
 *
 * @returns to be noted with the row
 */
export function tellGates(
  { cid, seq, leases, released }: LedgerRow,
  { read, writtenMs }: ToldChange,
  { news, gateId: own, onMayReturn }: Teller,
): LedgerOperation[] {
  const operations: LedgerOperation[] = []
  for (const { holder, token } of released) {
    if (holder === everyHolder) operations.push(...news.takenDown(cid, { holder, token }))
    const gateId = readToken(token)?.gateId
    if (gateId !== undefined && gateId !== own)
      operations.push(...news.released(gateId, cid, { holder, token, writtenMs }))
  }
  for (const lease of leases) {
    const version = readToken(lease.token ?? '')
    const isSeen = read?.leases.some((seen) => isSameVersion(seen, lease)) === true
    if (version === undefined || isSeen) continue
    if (version.gateId !== own) operations.push(...news.rewritten(version.gateId, cid))
    else if (version.seq < seq) onMayReturn(cid)
  }
  const isTold = (seen: Lease): boolean =>
    [...leases, ...released].some((known) => isSameVersion(known, seen))
  for (const seen of read?.leases ?? []) {
    const gateId = readToken(seen.token ?? '')?.gateId
    if (gateId !== undefined && gateId !== own && !isTold(seen))
      operations.push(...news.rewritten(gateId, cid))
  }
  return operations
}
