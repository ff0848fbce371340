/** Says why a command failed that reads or changes the configuration; the probe does neither. */
import { EditError } from '../settings/edit/edit.js'
import { ConfigError, problemLines } from '../settings/problems.js'
import type { Io } from './io.js'
import { fail, hint, report } from './report.js'

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
