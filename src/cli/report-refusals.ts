/** `pinwarden report`: counts in the log which requests were, or would be, refused, by encoder. */
import { stat } from 'node:fs/promises'
import { KeyedCounter } from '../collections/keyed-counter.js'
import type { JsonCalled } from './command-line.js'
import type { Io } from './io.js'
import { type LogLine, readLogLine, wordIn } from '../log/line-text.js'
import { timeMsOf } from '../time/span-text.js'
import {
  configuredLog,
  isSince,
  journaldLines,
  linesIn,
  ownLines,
  rotatedFiles,
  sinceOf,
} from './log-file.js'
import { fail, hint, warn } from './report.js'
import { table } from './text-table.js'
import { linesOf } from './tail/follow.js'

export interface ReportOptions extends JsonCalled {
  /** Log file; `-` is standard input, undefined the one that the configuration names. */
  readonly file: string | undefined
  /** Such as `7d`, or a time; undefined: all that is there. */
  readonly since?: string | undefined
}

interface Sum {
  requests: number
  /** By reason; a log may have any reason. */
  readonly refused: KeyedCounter
  readonly wouldRefuse: KeyedCounter
}

/**
 * Reads the whole log, with its rotated files, unless a file or a time is named.
 *
 * @returns 1: what was read holds no request, so nothing was summed up
 */
export async function reportRefusals(options: ReportOptions, io: Io): Promise<number> {
  const { json } = options
  const sinceMs = sinceOf(options.since, Date.now())
  const sums = new Map<string, Sum>()
  let [first, last, count, foreign] = ['', '', 0, 0]
  for await (const text of allLines(options, sinceMs, io)) {
    count++
    if (!isSince(text, sinceMs)) continue
    const line = readLogLine(text)
    if (line === undefined && text !== '') foreign++
    if (line?.msg !== 'request') continue
    // Files may be given in any order.
    const time = timeIn(line) ?? first
    if (first === '' || time < first) first = time
    if (time > last) last = time
    add(sums, line)
  }
  if (sums.size === 0) {
    fail(io, `found no requests in ${countText(count)}`)
    hint(io, "is this pinwarden's log, as JSON, and from that time?")
    return 1
  }
  if (foreign > 0)
    warn(io, `skipped ${countText(foreign)} that ${foreign === 1 ? 'is' : 'are'} not JSON`)
  const rows = [...sums].sort(([one], [other]) => (one < other ? -1 : 1))
  if (json) {
    const encoders = rows.map(([encoder, { requests, refused, wouldRefuse }]) => ({
      encoder,
      requests,
      refused: Object.fromEntries(refused),
      wouldRefuse: Object.fromEntries(wouldRefuse),
    }))
    io.stdout.write(`${JSON.stringify({ from: first, to: last, encoders }, null, 2)}\n`)
    return 0
  }
  const cells = rows.map(([encoder, { requests, refused, wouldRefuse }]) => [
    encoder,
    String(requests),
    wordsOf(wouldRefuse),
    wordsOf(refused),
  ])
  io.stdout.write(table(['ENCODER', 'REQUESTS', 'WOULD BE REFUSED', 'REFUSED'], cells))
  io.stderr.write(`from ${first} to ${last}\n`)
  return 0
}

/** Undefined: the line has none, or another text in its place. */
const timeIn = ({ time }: LogLine): string | undefined =>
  Number.isNaN(timeMsOf(wordIn(time) ?? '')) ? undefined : time

const countText = (count: number): string => (count === 1 ? '1 line' : `${count} lines`)

async function* allLines(
  { configPath, file }: ReportOptions,
  sinceMs: number | undefined,
  io: Io,
): AsyncGenerator<string> {
  if (file === '-') {
    yield* ownLines(linesOf(io.stdin ?? []))
    return
  }
  if (file !== undefined) {
    yield* linesIn(file)
    return
  }
  const configured = await configuredLog(configPath, io)
  if (configured === undefined) {
    yield* journaldLines({ sinceMs })
    return
  }
  for (const path of await rotatedFiles(configured))
    if (sinceMs === undefined || (await stat(path)).mtimeMs >= sinceMs) yield* linesIn(path)
}

function add(sums: Map<string, Sum>, line: LogLine): void {
  const encoder = wordIn(line.encoder) ?? '(unknown)'
  let sum = sums.get(encoder)
  if (sum === undefined) {
    sum = { requests: 0, refused: new KeyedCounter(), wouldRefuse: new KeyedCounter() }
    sums.set(encoder, sum)
  }
  sum.requests++
  const wouldRefuse = wordIn(line.wouldRefuse)
  if (line.outcome === 'refused') sum.refused.add(wordIn(line.reason) ?? '')
  if (wouldRefuse !== undefined) sum.wouldRefuse.add(wouldRefuse)
}

const wordsOf = (counts: KeyedCounter): string =>
  [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ') || '-'
