/** Figures as people read them. */

export const none = '–'

export const countText = (count: number): string => count.toLocaleString('en')

export function durationText(ms: number | null): string {
  if (ms === null) return none
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** How long ago, or until when. */
export function spanText(ms: number): string {
  if (ms >= 2 * dayMs) return `${Math.floor(ms / dayMs)} days`
  if (ms >= 2 * hourMs) return `${Math.floor(ms / hourMs)} h`
  if (ms >= 2 * minuteMs) return `${Math.floor(ms / minuteMs)} min`
  return `${Math.max(0, Math.floor(ms / secondMs))} s`
}

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
