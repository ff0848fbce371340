/** Understands when a key shall expire: a date, a time, or a while from now. */
import { UsageError } from '../report.js'

/** In UTC, to the second, as the configuration has it. */
export function expiryOf(text: string, now: Date): string {
  const time = /^\d+[hdwy]$/.test(text) ? later(text, now) : dateIn(text)
  if (!(time > now.getTime())) throw new UsageError(`--expires ${text} is in the past`, forms)
  if (time > lastMs) throw new UsageError(`--expires ${text} is too far off`, forms)
  return timestampOf(new Date(time))
}

/** When a grace that begins now is over. */
export function graceEnd(text: string, now: Date): Date {
  const time = text === '0' ? now.getTime() : /^\d+[hdwy]$/.test(text) ? later(text, now) : NaN
  if (!(time <= lastMs))
    throw new UsageError(`--grace ${text} is no time`, 'such as 12h, 7d, 2w, 0')
  return new Date(time)
}

export function timestampOf(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

const forms = 'forms: 90d (also h, w, y), 2027-01-31, 2027-01-31T12:00:00Z'

/** Years beyond four digits have a form of their own that nobody expects. */
const lastMs = Date.UTC(9999, 11, 31)

const hourMs = 3_600_000
const unitMs: Readonly<Record<string, number>> = {
  h: hourMs,
  d: 24 * hourMs,
  w: 7 * 24 * hourMs,
  y: 365 * 24 * hourMs,
}

function later(text: string, now: Date): number {
  return now.getTime() + Number(text.slice(0, -1)) * (unitMs[text.slice(-1)] ?? NaN)
}

/** A day alone is its first moment in UTC. The way back shows days that no month has. */
function dateIn(text: string): number {
  const form = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}Z)?$/.exec(text)
  const full = `${form?.[1] ?? ''}${form?.[2] ?? 'T00:00:00Z'}`
  const time = Date.parse(full)
  if (Number.isNaN(time) || timestampOf(new Date(time)) !== full)
    throw new UsageError(`--expires ${text} is no time`, forms)
  return time
}
