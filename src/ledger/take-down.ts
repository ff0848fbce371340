/**
 * A take-down: an operator released a pin for good. The row keeps it with the released leases, as a
 * release by all holders of everything that the cluster had written by then, with or without
 * tokens. No I/O here.
 */
import { type Lease, readToken, tokensOf } from '../leases/lease.js'
import { everyHolder, type LedgerRow, type Released } from './row.js'

export interface TakeDown {
  /** Everything that the cluster wrote until then is released; in milliseconds since the epoch. */
  readonly untilMs: number
  /** When it was; every lease that began by then is released. */
  readonly atMs: number
  /** Its token: it says which leases of its own gate came later, however soon. */
  readonly token?: string | undefined
  /** The operator's. */
  readonly reason: string
}

/** @param seq of the take-down, in the order of tokens */
export function takeDownEntry(takeDown: TakeDown, seq: number): Released {
  const { untilMs, atMs, token, reason } = takeDown
  const of = token === undefined ? '' : `/${token}`
  return { holder: everyHolder, token: `${untilMs}/${atMs}${of} ${reason}`, seq }
}

/** The last one; undefined: there was none. */
export function takeDownOf({ released }: Pick<LedgerRow, 'released'>): TakeDown | undefined {
  const token = released.findLast(({ holder }) => holder === everyHolder)?.token
  return token === undefined ? undefined : readTakeDown(token)
}

export function readTakeDown(token: string): TakeDown {
  const [head = '', ...words] = token.split(' ')
  const [until, at = until, of] = head.split('/')
  return { untilMs: Number(until), atMs: Number(at), token: of, reason: words.join(' ') }
}

/**
 * Whether a lease is of the time before a take-down, or after it, by the numbers of the gate that
 * made both, or what the lease replaced; undefined: only its time tells.
 */
export function isBefore(
  down: TakeDown,
  lease: Pick<Lease, 'token' | 'replaces'>,
): boolean | undefined {
  const own = readToken(down.token ?? '')
  if (own === undefined) return undefined
  const isSince = (text: string): boolean => {
    const version = readToken(text)
    return version?.gateId === own.gateId && version.seq >= own.seq
  }
  // No lease has the number of the take-down itself: one that names it began after it.
  if (tokensOf(lease).some(isSince)) return false
  return readToken(lease.token ?? '')?.gateId === own.gateId ? true : undefined
}

/** Releases up to the last take-down, which is the last of them, in order. */
export const releasedByThen = ({ released }: Pick<LedgerRow, 'released'>): readonly Released[] =>
  released.slice(0, released.findLastIndex(({ holder }) => holder === everyHolder) + 1)

/**
 * Whether the promise with this number was released: since it was made, or, where a try to write it
 * landed with a lost answer, that very lease.
 */
export const isReleasedSince = (row: LedgerRow | undefined, holder: string, seq: number): boolean =>
  row?.released.some(
    (gone) => gone.seq >= seq && (gone.holder === holder || gone.holder === everyHolder),
  ) === true
