/** `pinwarden tail`: the access log as a person reads it. */
import type { Io } from '../io.js'
import { configuredLog } from '../log-file.js'
import { UsageError } from '../report.js'
import { type Filters, wantedBy } from './filter.js'
import { followFile, linesOf } from './follow.js'
import { lastLines } from './last-lines.js'
import { lineText } from './line-text.js'

export interface TailOptions {
  readonly configPath: string
  /** Log file; `-` is standard input, undefined the one that the configuration names. */
  readonly file: string | undefined
  /** How many of the last lines that fit are shown first. */
  readonly lines: string
  readonly follow: boolean
  readonly filters: Filters
  /** As they are in the file. */
  readonly json: boolean
  /** Undefined: where it goes to a terminal that wants it. */
  readonly color: boolean | undefined
  /** Ends the following. */
  readonly signal?: AbortSignal
}

export async function tail(options: TailOptions, io: Io): Promise<number> {
  const { file = await configuredLog(options.configPath, journal), follow, json, signal } = options
  const count = countOf(options.lines)
  const isWanted = wantedBy(options.filters)
  const hasColor = options.color ?? wantsColor(io)
  const show = (line: string): void => {
    if (json) io.stdout.write(`${line}\n`)
    else (io.stdout.bare ?? io.stdout).write(`${lineText(line, hasColor)}\n`)
  }
  if (file === '-') {
    for await (const line of linesOf(io.stdin ?? [])) if (isWanted(line)) show(line)
    return 0
  }
  const { lines, end } = await lastLines(file, isWanted, count)
  for (const line of lines) show(line)
  if (follow) for await (const line of followFile(file, end, signal)) if (isWanted(line)) show(line)
  return 0
}

/** Where the log is systemd's. */
const journal = 'journalctl -u pinwarden -o cat -f | pinwarden tail -'

function countOf(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new UsageError(`--lines ${text} is no number of lines`, '0 to 999999')
}

/** See https://no-color.org. */
const wantsColor = ({ stdout, env }: Io): boolean =>
  stdout.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
