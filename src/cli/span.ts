/** Understands a span of time on the command line, such as `90d`. */
import { dayMs, hourMs } from '../time/units.js'

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
