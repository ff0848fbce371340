/** The daemon's log, as commands read it back. */
import type { AccessLine } from '../log/access-line.js'
import { loadConfig } from '../settings/load.js'
import { CommandError } from './report.js'

/** As the daemon writes it; a stranger's line may have anything in these fields. */
export type LogLine = Partial<AccessLine> & {
  readonly time?: string
  readonly level?: string
  /** `request` in an access line. */
  readonly msg?: string
}

/** @returns undefined where it is not a JSON object: a log's last line may be half there */
export function readLogLine(text: string): LogLine | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * The log file that the configuration names.
 *
 * @param pipe what reads the log of systemd instead, such as `journalctl … | pinwarden tail -`
 */
export async function configuredLog(configPath: string, pipe: string): Promise<string> {
  const { log } = await loadConfig(configPath)
  if (log.file !== undefined) return log.file
  throw new CommandError(
    'the configuration names no log file: the daemon logs to its standard output',
    `under systemd: ${pipe}`,
  )
}
