/** What one gate says to another, and how that is written in the store. */
import type { DoubtReason } from './doubt.js'

/** One thing that one gate has to know. */
export interface News {
  /** In the order of the gate that says it. */
  readonly seq: number
  /** The gate that has to know. */
  readonly to: string
  readonly cid: string
  /** A lease of it, by its token. */
  readonly released?: { readonly holder: string; readonly token: string } | undefined
  /** It may have been overwritten. */
  readonly doubt?: DoubtReason | undefined
}

/** A release that says more gives it another number, and is not understood by older ones. */
export const stateVersion = 1

/** What a gate says to all. */
export interface GateState {
  readonly v: number
  /** Names this round of this run. */
  readonly round: string
  /** Whether it waits for what the others know. */
  readonly asks: boolean
  /** By gate: up to there its news are on this one's disk. */
  readonly applied: Readonly<Record<string, number>>
  /** Its ledger ends with the process. */
  readonly isVolatile: boolean
  /** It stopped in order, and says no more before it is back. */
  readonly isClosed: boolean
  /** Gates that are gone for good. */
  readonly gone: readonly string[]
}

export interface Mail {
  /** The round of the reader that was seen; absent: there are more news than these. */
  readonly heard?: string | undefined
  readonly news: readonly News[]
}

/** A state of another form is one of a newer release. */
export function readState(text: string): GateState {
  const { v = Infinity, round = '', applied = {}, gone = [], ...flags } = partOf(text)
  const { asks = false, isVolatile = false, isClosed = false } = flags
  return { v, round, asks, applied, isVolatile, isClosed, gone }
}

function partOf(text: string): Partial<GateState> {
  try {
    return (JSON.parse(text) as Partial<GateState> | null) ?? {}
  } catch {
    return {}
  }
}

export const readMail = (text: string): Mail => JSON.parse(text) as Mail
