/** `pinwarden tail`: the access log as a person reads it. */
import { stat } from 'node:fs/promises'
import type { Io } from '../io.js'
import {
  configuredLog,
  formOf,
  isPipe,
  isSince,
  journaldLines,
  linesIn,
  ownLines,
  rotatedFiles,
  sinceOf,
} from '../log-file.js'
import { fail, hint, UsageError } from '../report.js'
import { type Filters, wantedBy } from './filter.js'
import { followFile, linesOf, watchReader } from './follow.js'
import { lastLines } from './last-lines.js'
import { lineText } from '../../log/line-text.js'

export interface TailOptions extends Filters {
  readonly configPath: string
  /** Log file; `-` is standard input, undefined the one that the configuration names. */
  readonly file: string | undefined
  /** How many of the last lines that fit are shown first. */
  readonly lines: string
  readonly follow: boolean
  /** Such as `2h`, or a time: all lines since then. */
  readonly since?: string | undefined
  /** As they are in the file. */
  readonly json: boolean
  /** Undefined: where it goes to a terminal that wants it. */
  readonly color: boolean | undefined
  /** Ends the following. */
  readonly signal?: AbortSignal | undefined
}

/** @returns 1: one request or CID was asked for, and it has no line */
export async function tail(options: TailOptions, io: Io): Promise<number> {
  const { json } = options
  using watched = options.follow && io.readerLeft !== undefined ? watchReader() : undefined
  const signal = AbortSignal.any(
    [options.signal, io.readerLeft, watched?.signal].filter((each) => each !== undefined),
  )
  const count = countOf(options.lines)
  const sinceMs = sinceOf(options.since, Date.now())
  const isFiltered = wantedBy(options)
  const isWanted = (line: string) => isFiltered(line) && isSince(line, sinceMs)
  const hasColor = options.color ?? wantsColor(io)
  let shown = 0
  const show = (line: string): void => {
    shown++
    if (json) io.stdout.write(`${line}\n`)
    else (io.stdout.bare ?? io.stdout).write(`${lineText(line, hasColor)}\n`)
  }
  const query = { ...options, sinceMs, count, isWanted, isFiltered, signal }
  for await (const line of linesWanted(query, io)) {
    if (signal.aborted) break
    show(line)
  }
  const isLookup = options.id !== undefined || options.cid !== undefined
  if (shown > 0 || !isLookup || options.follow) return 0
  fail(io, 'the log has no line about it')
  hint(io, options.file === undefined ? undefined : 'without a file, tail also reads rotated logs')
  return 1
}

interface LineQuery extends Omit<TailOptions, 'since' | 'lines'> {
  readonly sinceMs: number | undefined
  readonly count: number
  readonly isWanted: (line: string) => boolean
  readonly isFiltered: (line: string) => boolean
}

async function* linesWanted(query: LineQuery, io: Io): AsyncGenerator<string> {
  const { configPath, follow, sinceMs, count, isWanted, signal } = query
  if (query.file === '-') {
    for await (const line of ownLines(linesOf(io.stdin ?? []))) if (isWanted(line)) yield line
    return
  }
  if (query.file !== undefined && (await isPipe(query.file))) {
    for await (const line of linesIn(query.file)) if (isWanted(line)) yield line
    return
  }
  const file = query.file ?? (await configuredLog(configPath, io))
  if (file === undefined) {
    yield* ofJournald(query)
    return
  }
  const files = query.file === undefined ? await rotatedFiles(file) : [file]
  if (follow) await formOf(file)
  // From here on, lines are followed, and are not part of the last lines.
  const end = follow ? (await lastLines(file, () => true, 0)).end : undefined
  const endOf = (path: string) => (path === file ? end : undefined)
  if (sinceMs === undefined) yield* await lastOf(files, isWanted, count, endOf)
  else
    for (const path of files)
      if ((await stat(path)).mtimeMs >= sinceMs)
        for await (const line of linesIn(path, endOf(path))) if (isWanted(line)) yield line
  if (end === undefined) return
  for await (const line of ownLines(followFile(file, end, signal))) if (isWanted(line)) yield line
}

/** The last lines that fit, from the newest file back, in the order in which they were written. */
async function lastOf(
  files: readonly string[],
  isWanted: (line: string) => boolean,
  count: number,
  endOf: (path: string) => number | undefined,
): Promise<readonly string[]> {
  let found: string[] = []
  for (const path of files.toReversed()) {
    if (found.length >= count) break
    const left = count - found.length
    found = [...(await lastOfFile(path, isWanted, left, endOf(path))), ...found]
  }
  return found
}

async function lastOfFile(
  path: string,
  isWanted: (line: string) => boolean,
  count: number,
  until: number | undefined,
) {
  if ((await formOf(path)) === 'plain') {
    return (await lastLines(path, isWanted, count, until)).lines
  }
  const last: string[] = []
  for await (const line of linesIn(path, until)) {
    if (!isWanted(line)) continue
    last.push(line)
    if (last.length > count) last.shift()
  }
  return last
}

/** As many of its lines as it takes to find those that fit. */
async function* ofJournald(query: LineQuery): AsyncGenerator<string> {
  const { sinceMs, count, follow, isWanted, isFiltered, signal } = query
  const isAll = sinceMs !== undefined
  const last: string[] = []
  if (isAll) {
    for await (const line of journaldLines({ sinceMs, follow, signal }))
      if (isWanted(line)) yield line
    return
  }
  for await (const line of journaldLines({ signal })) {
    if (!isFiltered(line)) continue
    last.push(line)
    if (last.length > count) last.shift()
  }
  yield* last
  if (!follow) return
  for await (const line of journaldLines({ count: 0, follow, signal }))
    if (isWanted(line)) yield line
}

function countOf(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UsageError(`--lines ${text} is not a number of lines`, '0 to 999999')
}

/** See https://no-color.org. */
const wantsColor = ({ stdout, env }: Io): boolean =>
  stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
