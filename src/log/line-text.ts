/** One line of the log, as a person reads it. */
import { printable } from '../text/printable.js'
import { styleText } from 'node:util'
import { durationText } from '../time/span-text.js'
import type { AccessLine } from './access-line.js'

/** As the daemon writes it; a line from elsewhere may have anything in these fields. */
export type LogLine = Partial<AccessLine> & {
  readonly time?: string
  readonly level?: string
  /** `request` in an access line. */
  readonly msg?: string
}

/** @returns undefined when it is not a JSON object: the last line of a log may be incomplete */
export function readLogLine(text: string): LogLine | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

type Style = Parameters<typeof styleText>[0]
/** Strangers may have written into the log, so each field is checked before it is shown. */
type LogFields = Readonly<Record<string, unknown>>

/** Shows a foreign line as it is, with terminal controls escaped. */
export function lineText(line: string, hasColor: boolean): string {
  const paint = (style: Style, text: string): string =>
    hasColor ? styleText(style, text, { validateStream: false }) : text
  const fields: LogFields | undefined = readLogLine(line)
  if (fields === undefined) return harmless(line)
  return isRequest(fields) ? requestText(fields, paint) : otherText(fields, paint)
}

type Paint = (style: Style, text: string) => string

const outcomeStyles: Readonly<Record<AccessLine['outcome'], Style>> = {
  answered: 'green',
  refused: 'yellow',
  fault: 'red',
  journaled: 'cyan',
  checked: 'gray',
  aborted: 'gray',
  bug: ['bold', 'red'],
}

function requestText(line: AccessLine & LogFields, paint: Paint): string {
  const { method, path, status, outcome, reason, upstreamMs, streamError, upstreamError } = line
  const why = wordIn(reason)
  const result = `${status} ${outcome}${why === undefined ? '' : ` ${why}`}`
  const cluster = typeof upstreamMs === 'number' ? `, cluster ${durationText(upstreamMs)}` : ''
  const problem = wordIn(streamError) ?? wordIn(upstreamError)
  return [
    paint('gray', timeOf(line)),
    paint('cyan', harmless(wordIn(line.encoder) ?? '-').padEnd(12)),
    `${harmless(method)} ${harmless(path)}`,
    paint(outcomeStyles[outcome], harmless(result)),
    paint('gray', `${durationText(line.durationMs)}${cluster}, from ${harmless(line.client)}`),
    ...(problem === undefined ? [] : [paint('red', harmless(problem))]),
  ].join(' ')
}

const levelStyles: Readonly<Record<string, Style>> = {
  warn: 'yellow',
  error: 'red',
  fatal: ['bold', 'red'],
}

function otherText(line: LogFields, paint: Paint): string {
  const { level, msg } = line
  const word = typeof level === 'string' ? level : 'info'
  const fields = Object.entries(line)
    .filter(([name]) => !['time', 'level', 'msg'].includes(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [
    paint('gray', timeOf(line)),
    paint(levelStyles[word] ?? 'blue', word.padEnd(12)),
    harmless(typeof msg === 'string' ? msg : ''),
    paint('gray', harmless(fields.join(' '))),
  ]
    .join(' ')
    .trimEnd()
}

/** To the second; other text stays. */
const timeOf = ({ time }: LogFields): string =>
  harmless(typeof time === 'string' ? time.replace(/\.\d+Z$/, 'Z') : '-')

/** Parsing JSON restores what it had escaped: a client may have sent terminal controls. */
const harmless = (text: string): string => printable(text, '')

/** A field of a line that another program may have written. */
export const wordIn = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined

const isRequest = (fields: LogFields): fields is AccessLine & LogFields =>
  typeof fields.status === 'number' &&
  typeof fields.durationMs === 'number' &&
  typeof fields.path === 'string' &&
  typeof fields.method === 'string' &&
  typeof fields.client === 'string' &&
  typeof fields.outcome === 'string' &&
  Object.hasOwn(outcomeStyles, fields.outcome)
