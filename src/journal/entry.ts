/** A line of the journal: a pin that was accepted, or that one of them is done; each with a CRC. */
import { crc32 } from 'node:zlib'
import type { Parameter } from '../cluster/query.js'

/** A pin that was accepted while the cluster was away. */
export interface Wish {
  readonly cid: string
  readonly encoder: string
  /** The key it was asked with: it must still be good when the pin is made. */
  readonly keyId: string
  /** As they go to the cluster, without the expiry. */
  readonly options: readonly Parameter[]
  /** Until when it is wanted, in milliseconds since the epoch; Infinity: for ever. */
  readonly untilMs: number
  /** Of the request, for the log. */
  readonly requestId: string
}

export interface Entry extends Wish {
  /** Counts up; the order in which entries of one CID are made. */
  readonly seq: number
  /** When it was accepted, in milliseconds since the epoch. */
  readonly atMs: number
}

export type Line =
  | { readonly kind: 'accepted'; readonly entry: Entry }
  | { readonly kind: 'done'; readonly seq: number }

/** JSON knows no Infinity. */
type EntryJson = Omit<Entry, 'untilMs'> & { readonly untilMs: number | null }

export const acceptedLine = (entry: Entry): string => {
  const { untilMs } = entry
  const json: EntryJson = { ...entry, untilMs: untilMs === Infinity ? null : untilMs }
  return lineOf(JSON.stringify(json))
}

export const doneLine = (seq: number): string => lineOf(JSON.stringify({ done: seq }))

const lineOf = (json: string): string => `${crcOf(json)} ${json}\n`

const crcOf = (text: string): string => crc32(text).toString(16).padStart(8, '0')

/** @returns undefined when it was not written to its end, or is not what was written */
export function readLine(text: string): Line | undefined {
  const json = text.slice(9)
  if (text.slice(0, 9) !== `${crcOf(json)} `) return undefined
  const value = JSON.parse(json) as EntryJson | { readonly done: number }
  if ('done' in value) return { kind: 'done', seq: value.done }
  return { kind: 'accepted', entry: { ...value, untilMs: value.untilMs ?? Infinity } }
}

/** What a journal's text comes to. */
export interface Contents {
  /** What is not done, in its order. */
  readonly entries: readonly Entry[]
  /** Lines that cannot be read, but for one at the very end: that one was never acknowledged. */
  readonly damaged: number
  readonly isTorn: boolean
}

export function readContents(text: string): Contents {
  const entries = new Map<number, Entry>()
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  let damaged = 0
  let isTorn = last !== ''
  lines.forEach((line, index) => {
    const read = readLine(line)
    if (read?.kind === 'accepted') entries.set(read.entry.seq, read.entry)
    else if (read?.kind === 'done') entries.delete(read.seq)
    else if (index === lines.length - 1) isTorn = true
    else damaged++
  })
  return { entries: [...entries.values()], damaged, isTorn }
}
