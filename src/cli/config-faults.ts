/** Says why a command that uses the configuration failed; the probe does not use one. */
import { EditError } from '../settings/edit/edit.js'
import { loadConfig, soundConfig } from '../settings/load.js'
import { ConfigError, problemLines } from '../settings/problems.js'
import type { Config } from '../settings/schema/schema.js'
import type { Io } from './io.js'
import { fail, hint, report, warn } from './report.js'

/**
 * For commands that ask the daemon, or read what it wrote: with a broken file it keeps its older
 * settings, and is found by what the file still says.
 *
 * @param needsFile whether a file that cannot be read is an error; else the usual places serve
 */
export async function configInUse(
  configPath: string,
  io: Io,
  needsFile = true,
): Promise<{ readonly config: Config; readonly isBroken: boolean }> {
  try {
    return { config: await loadConfig(configPath), isBroken: false }
  } catch (error) {
    if (!(error instanceof ConfigError) || (needsFile && isUnread(error))) throw error
    warn(io, `${configPath} is broken: pinwarden check says why; the daemon has older settings`)
    return { config: await soundConfig(configPath, io.env), isBroken: true }
  }
}

const isUnread = ({ problems }: ConfigError): boolean => problems.some(({ path }) => path === '')

/** 1: failed; 2: wrong usage. */
export function reportWithConfig(error: unknown, configPath: string, io: Io): 1 | 2 {
  if (error instanceof EditError) {
    fail(io, error.message)
    hint(io, error.hint)
    return 1
  }
  if (!(error instanceof ConfigError)) return report(error, io)
  const count = error.problems.length
  fail(io, `${configPath} has ${count === 1 ? 'a problem' : `${count} problems`}`)
  for (const line of problemLines(error.problems)) io.stderr.write(`  ${line}\n`)
  hint(io, error.hint)
  return 1
}
