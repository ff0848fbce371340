/** Formats and parses spans of time, as precisely as a reader needs. */
import { dayMs, hourMs, minuteMs, secondMs } from './units.js'

/** How long something lasts, or has lasted: `3 d 4 h`, `4 h 12 min`, `12 min`, `7 s`. */
export function spanText(ms: number): string {
  const whole = (unitMs: number, ofMs = Infinity) => Math.floor((ms % ofMs) / unitMs)
  if (ms >= dayMs) return `${whole(dayMs)} d ${whole(hourMs, dayMs)} h`
  if (ms >= hourMs) return `${whole(hourMs)} h ${whole(minuteMs, hourMs)} min`
  if (ms >= minuteMs) return `${whole(minuteMs)} min`
  return `${Math.max(0, whole(secondMs))} s`
}

/** How long something took: `8.3 ms`, `120 ms`, `2.5 s`. */
export function durationText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < secondMs ? `${Math.round(ms)} ms` : `${(ms / secondMs).toFixed(1)} s`
}

/** A time limit: `5 s`, `0.5 s`. */
export const secondsText = (ms: number): string => `${ms / secondMs} s`

/** Whole days: `1 day`, `61 days`. */
export function daysText(ms: number): string {
  const days = Math.floor(ms / dayMs)
  return days === 1 ? '1 day' : `${days} days`
}

/**
 * A day, which is its first moment in UTC, or a time with its zone.
 * @returns NaN for another text, and for a day that its month does not have
 */
export function timeMsOf(text: string): number {
  const [, day = '', time = 'T00:00Z'] = timeForm.exec(text) ?? []
  const midnight = new Date(`${day}T00:00Z`)
  const isDay = !Number.isNaN(+midnight) && midnight.toISOString().startsWith(day)
  return isDay ? Date.parse(day + time) : NaN
}

const timeForm =
  /^(\d{4}-\d{2}-\d{2})(T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/

/** Understands a span of time on the command line, such as `90d`. */
const unitMs: Readonly<Record<string, number>> = {
  h: hourMs,
  d: dayMs,
  w: 7 * dayMs,
  y: 365 * dayMs,
}

/** @returns milliseconds; NaN when the text is not a span */
export function spanMsOf(text: string): number {
  const [, count, unit = ''] = /^(\d+)([hdwy])$/.exec(text) ?? []
  return Number(count) * (unitMs[unit] ?? NaN)
}
