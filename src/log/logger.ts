/** How parts of the daemon log, without knowing the sink. */
import type { Log } from './log.js'

/**
 * Writes one line: variable parts are fields; the message is a past-tense fact, the same each time.
 */
export type Logger = (level: 'info' | 'warn' | 'error', fields: object, message: string) => void

export const loggerOf =
  (log: Log): Logger =>
  (level, fields, message) => {
    log[level](fields, message)
  }
