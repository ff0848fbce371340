/** Times and durations as Go reads and prints them. */

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

/**
 * RFC 3339 with a zone, printed as Go prints it.
 *
 * @throws Error with roughly Go's text
 */
export function parseTime(text: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (match === null || Number.isNaN(Date.parse(text))) {
    throw new Error(
      `parsing time "${text}" as "2006-01-02T15:04:05Z07:00": cannot parse "${text}" as "2006"`,
    )
  }
  const [, seconds = '', fraction = '', zone = ''] = match
  const shown = fraction.slice(0, 10).replace(/\.?0+$/, '')
  return `${seconds}${shown}${/^[+-]00:00$/.test(zone) ? 'Z' : zone}`
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
  if (rest === '') throw new Error(`time: invalid duration "${text}"`)
  let ms = 0
  let left = rest
  while (left !== '') {
    const [part, number = '', unit = ''] = /^(\d+\.?\d*|\.\d+)([^.\d]*)/.exec(left) ?? ['']
    if (part === '') throw new Error(`time: invalid duration "${text}"`)
    if (unit === '') throw new Error(`time: missing unit in duration "${text}"`)
    const factor = unitMs.get(unit)
    if (factor === undefined) throw new Error(`time: unknown unit "${unit}" in duration "${text}"`)
    ms += Number(number) * factor
    left = left.slice(part.length)
  }
  return sign === '-' ? -ms : ms
}
