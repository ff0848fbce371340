/** Parses the expiry of a key: a date, a time, or a time span. */
import { UsageError } from '../report.js'
import { spanMsOf, timeMsOf } from '../../time/span-text.js'

/** In UTC, to the second, as the configuration has it. */
export function expiryOf(text: string, now: Date): string {
  const spanMs = spanMsOf(text)
  const time = Number.isNaN(spanMs) ? timeMsOf(text) : now.getTime() + spanMs
  if (Number.isNaN(time)) throw new UsageError(`--expires ${text} is not a time`, forms)
  if (!(time > now.getTime())) throw new UsageError(`--expires ${text} is in the past`, forms)
  if (time > lastMs) throw new UsageError(`--expires ${text} is too far in the future`, forms)
  return timestampOf(new Date(time))
}

/** The end of a grace that begins now. */
export function graceEnd(text: string, now: Date): Date {
  const time = now.getTime() + (text === '0' ? 0 : spanMsOf(text))
  if (!(time <= lastMs))
    throw new UsageError(`--grace ${text} is not a time span`, 'such as 12h, 7d, 2w, 0')
  return new Date(time)
}

export function timestampOf(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

const forms = 'forms: 90d (also h, w, y), 2027-01-31, 2027-01-31T12:00:00Z'

/** Years beyond four digits have a form of their own that parsers do not expect. */
const lastMs = Date.UTC(9999, 11, 31)
