/** Figures as people read them. */
import { durationText, spanText } from '../../time/span-text.js'

export const none = '–'

export const countText = (count: number): string => count.toLocaleString('en')

export const tookText = (ms: number | null): string => (ms === null ? none : durationText(ms))

export const agoText = (time: number | null, now: number): string =>
  time === null ? none : `${spanText(now - time)} ago`

/** The day only where it is another one. */
export function timeText(time: number, now: number): string {
  const [at, today] = [new Date(time), new Date(now)]
  const clock = at.toLocaleTimeString('en-GB')
  return at.toDateString() === today.toDateString()
    ? clock
    : `${at.getDate()} ${at.toLocaleString('en', { month: 'short' })} ${clock}`
}
