/** The forms of texts that the schema names, beside its patterns. */
import { isHost, isNetwork } from '../values/network.js'

export const formats = {
  'date-time': isUtcTime,
  network: isNetwork,
  host: isHost,
  'base-url': (text: string): boolean => URL.canParse(text),
}

/** The pattern gives the form; that the day exists shows only in the way there and back. */
function isUtcTime(text: string): boolean {
  const time = Date.parse(text)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 19))
}
