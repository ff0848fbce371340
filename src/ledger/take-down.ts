/**
 * A take-down: an operator released a pin for good. It is kept in the row among what was released,
 * as a release by all holders of whatever the cluster had written by then, tokens or not. No I/O
 * here.
 */
import type { LedgerRow, Released } from './row.js'

export interface TakeDown {
  /** What the cluster wrote until then is released, in milliseconds since the epoch. */
  readonly untilMs: number
  /** The operator's. */
  readonly reason: string
}

/** No lease has such a holder. */
const everyHolder = '*'

/** @param seq of the take-down, in the order of tokens */
export const takeDownEntry = ({ untilMs, reason }: TakeDown, seq: number): Released => ({
  holder: everyHolder,
  token: `${untilMs} ${reason}`,
  seq,
})

/** The last one; undefined: there was none. */
export function takeDownOf({ released }: Pick<LedgerRow, 'released'>): TakeDown | undefined {
  const token = released.findLast(({ holder }) => holder === everyHolder)?.token
  if (token === undefined) return undefined
  const space = token.indexOf(' ')
  return { untilMs: Number(token.slice(0, space)), reason: token.slice(space + 1) }
}

/** What was released by the last one, and before it: in this order, and it is the last of them. */
export const releasedByThen = ({ released }: Pick<LedgerRow, 'released'>): readonly Released[] =>
  released.slice(0, released.findLastIndex(({ holder }) => holder === everyHolder) + 1)

/** Whether the promises to a holder from before were released since. */
export const isReleasedSince = (row: LedgerRow | undefined, holder: string, seq: number): boolean =>
  row?.released.some(
    (gone) => gone.seq > seq && (gone.holder === holder || gone.holder === everyHolder),
  ) === true
