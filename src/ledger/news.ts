/** Messages between gates, and their form in the store. */
import type { DoubtReason } from './doubt.js'

/** One message. */
export interface News {
  /** In the order of the sender. */
  readonly seq: number
  /** The receiver. */
  readonly to: string
  readonly cid: string
  readonly released?: ReleasedElsewhere | undefined
  /** It may have been overwritten. */
  readonly doubt?: DoubtReason | undefined
}

/** A lease, by its token, with those that it replaced; or all of a pin, by a take-down. */
export interface ReleasedElsewhere {
  readonly holder: string
  readonly token: string
  /** What the holder had by then from every gate, unseen; absent: this lease alone. */
  readonly upTo?: readonly string[] | undefined
  /** When the cluster wrote what ended it, by its own clock; absent: it is not there any more. */
  readonly writtenMs?: number | undefined
}

/**
 * A release with other messages has another number here, and older releases do not understand it.
 */
export const stateVersion = 1

/** What a gate publishes to all others. */
export interface GateState {
  readonly v: number
  /** Names this round of this run. */
  readonly round: string
  /** Whether it is waiting for the others' news. */
  readonly asks: boolean
  /** The last number that it gave out. */
  readonly seq?: number | undefined
  /** By gate: up to which number its news is on this one's disk. */
  readonly applied: Readonly<Record<string, number>>
  /** Its ledger ends with the process. */
  readonly isVolatile: boolean
  /** It was shut down properly, and sends nothing until it is back. */
  readonly isClosed: boolean
  /** Gates that are gone for good. */
  readonly gone: readonly string[]
}

export interface Mail {
  /** The latest round of the reader that was seen; absent: there is more news than this. */
  readonly heard?: string | undefined
  readonly news: readonly News[]
}

/** A state in another form comes from a newer release. */
export function readState(text: string): GateState {
  const { v = Infinity, round = '', seq, applied = {}, gone = [], ...flags } = partOf(text)
  const { asks = false, isVolatile = false, isClosed = false } = flags
  return { v, round, seq, asks, applied, isVolatile, isClosed, gone }
}

function partOf(text: string): Partial<GateState> {
  try {
    return (JSON.parse(text) as Partial<GateState> | null) ?? {}
  } catch {
    return {}
  }
}

export const readMail = (text: string): Mail => JSON.parse(text) as Mail
