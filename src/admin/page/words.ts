/** Figures and times as people read them. */
import { durationText, spanText } from '../../time/span-text.js'

export const none = '–'

export const countText = (count: number): string => count.toLocaleString('en')

export const tookText = (ms: number | null): string => (ms === null ? none : durationText(ms))

export const agoText = (time: number | null, now: number): string =>
  time === null ? none : `${spanText(now - time)} ago`

const two = (value: number): string => String(value).padStart(2, '0')

/** `2026-11-29 17:04:05`, by the reader's clock. */
export function dateText(time: number): string {
  const at = new Date(time)
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-')
  return `${day} ${clockText(time)}`
}

export function clockText(time: number): string {
  const at = new Date(time)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
}

/** The reader's zone: `UTC+1`. */
export function zoneText(time: number): string {
  const minutes = -new Date(time).getTimezoneOffset()
  if (minutes === 0) return 'UTC'
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  return `UTC${minutes < 0 ? '−' : '+'}${hours}${rest === 0 ? '' : `:${two(rest)}`}`
}

/** `10` after `9`. */
export const natural = new Intl.Collator('en', { numeric: true }).compare
