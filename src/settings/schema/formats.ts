/** The forms of texts that the schema names, beside its patterns. */
import { isHost, isNetwork } from '../values/network.js'

export const formats = {
  'date-time': isUtcTime,
  network: isNetwork,
  host: isHost,
  'base-url': (text: string): boolean => URL.canParse(text),
}

/** The pattern gives the form; only parsing and formatting it again shows that the day exists. */
function isUtcTime(text: string): boolean {
  const time = Date.parse(text)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text.slice(0, 19))
}
