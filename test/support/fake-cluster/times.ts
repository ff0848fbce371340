/** Times and durations as Go reads and prints them. */

import { quotedBytes } from './go-quote.js'

/** Go's zero time: no expiry, no creation date. */
export const zeroTime = '0001-01-01T00:00:00Z'

/** Now, with nanoseconds. */
export function nowNanos(): string {
  const now = new Date().toISOString().slice(0, -1)
  const below = String(process.hrtime.bigint() % 1_000_000n).padStart(6, '0')
  return withoutZeros(`${now}${below}Z`)
}

/** The same moment in UTC and whole seconds, as it is read back from the cluster's state. */
export function wholeSeconds(time: string): string {
  if (time === zeroTime) return time
  return `${new Date(Date.parse(time)).toISOString().slice(0, 19)}Z`
}

export const afterMs = (ms: number): string => withoutZeros(new Date(Date.now() + ms).toISOString())

/** Go prints no zeros at the end of a fraction. */
const withoutZeros = (time: string): string =>
  time.replace(/\.(\d*?)0*Z$/, (_whole, digits: string) => (digits === '' ? 'Z' : `.${digits}Z`))

const layout = '2006-01-02T15:04:05Z07:00'

/** The parts of the layout in their order: what each takes, and what of it can be out of range. */
const timeParts: readonly [
  part: string,
  takes: RegExp,
  name?: string,
  from?: number,
  to?: number,
][] = [
  ['2006', /^\d{4}/],
  ['-', /^-/],
  ['01', /^\d\d/, 'month', 1, 12],
  ['-', /^-/],
  ['02', /^\d\d/],
  ['T', /^T/],
  ['15', /^\d\d?/, 'hour', 0, 23],
  [':', /^:/],
  ['04', /^\d\d/, 'minute', 0, 59],
  [':', /^:/],
  ['05', /^\d\d(?:[.,]\d+)?/, 'second', 0, 59],
  ['Z07:00', /^(?:Z|[+-]\d\d:\d\d)/],
]

/**
 * RFC 3339 with a zone, printed as Go prints it.
 *
 * @throws Error with Go's text
 */
export function parseTime(text: string): string {
  const failed = (why: string) => new Error(`parsing time ${quotedBytes(text)}${why}`)
  const taken: string[] = []
  let rest = text
  for (const [part, takes, name = '', from = 0, to = Infinity] of timeParts) {
    const [value] = takes.exec(rest) ?? []
    if (value === undefined) {
      const where = `cannot parse ${quotedBytes(rest)} as ${quotedBytes(part)}`
      throw failed(` as ${quotedBytes(layout)}: ${where}`)
    }
    rest = rest.slice(value.length)
    const number = Number.parseInt(value, 10)
    if (name !== '' && (number < from || number > to)) throw failed(`: ${name} out of range`)
    taken.push(value)
  }
  if (rest !== '') throw failed(`: extra text: ${quotedBytes(rest)}`)
  const [
    year = '',
    ,
    month = '',
    ,
    day = '',
    ,
    hour = '',
    ,
    minute = '',
    ,
    second = '',
    zone = '',
  ] = taken
  const daysMax = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number(day) < 1 || Number(day) > daysMax) throw failed(': day out of range')
  const [seconds = '', fraction = ''] = second.split(/[.,]/)
  const shown = `.${fraction.slice(0, 9)}`.replace(/\.?0*$/, '')
  const clock = `${hour.padStart(2, '0')}:${minute}:${seconds}${shown}`
  return `${year}-${month}-${day}T${clock}${/^[+-]00:00$/.test(zone) ? 'Z' : zone}`
}

const unitMs = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/**
 * A Go duration in milliseconds.
 *
 * @throws Error with Go's text
 */
export function parseDuration(text: string): number {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (rest === '0') return 0
  if (rest === '') throw new Error(`time: invalid duration ${quotedBytes(text)}`)
  let ms = 0
  let left = rest
  while (left !== '') {
    const [part, number = '', unit = ''] = /^(\d+\.?\d*|\.\d+)([^.\d]*)/.exec(left) ?? ['']
    if (part === '') throw new Error(`time: invalid duration ${quotedBytes(text)}`)
    if (unit === '') throw new Error(`time: missing unit in duration ${quotedBytes(text)}`)
    const factor = unitMs.get(unit)
    if (factor === undefined)
      throw new Error(`time: unknown unit ${quotedBytes(unit)} in duration ${quotedBytes(text)}`)
    ms += Number(number) * factor
    left = left.slice(part.length)
  }
  // It has 63 bits of nanoseconds.
  if (ms >= 2 ** 63 / 1e6) throw new Error(`time: invalid duration ${quotedBytes(text)}`)
  return sign === '-' ? -ms : ms
}
