/** `pinwarden reload`: makes the running daemon read its settings, and prints what changed. */
import type { ReloadAnswer } from '../admin/control.js'
import { problemText } from '../settings/problems.js'
import { askControl, NoDaemon } from './ask-control.js'
import type { JsonCalled } from './command-line.js'
import { configInUse } from './config-faults.js'
import type { Io } from './io.js'
import { CommandError, fail, hint, warn } from './report.js'

/** @returns 0: they are in force; 1: they were refused, or no daemon answers */
export async function reload({ configPath, json }: JsonCalled, io: Io): Promise<number> {
  const { config, isBroken } = await configInUse(configPath, io, false)
  const asked = askControl(config, 'POST', '/reload', {}) as Promise<ReloadAnswer>
  const answer = await asked.catch((error: unknown) => {
    const isLost = isBroken && error instanceof NoDaemon
    throw isLost ? new CommandError(error.message, byOtherMeans) : error
  })
  if (json) io.stdout.write(`${JSON.stringify(answer, null, 2)}\n`)
  else if (answer.isApplied) print(answer, io)
  else {
    fail(io, `the daemon refused ${configPath}: the old settings stay in force`)
    for (const problem of answer.problems) io.stderr.write(`  ${problemText(problem)}\n`)
    hint(io, 'pinwarden check finds the same problems without a daemon')
  }
  return answer.isApplied ? 0 : 1
}

const byOtherMeans =
  'if the file no longer names its control socket: systemctl reload pinwarden, or kill -HUP PID'

function print(answer: ReloadAnswer & { readonly isApplied: true }, io: Io): void {
  const changes = Object.entries(answer.changes)
  if (changes.length === 0) io.stdout.write(`reloaded: ${unchanged}\n`)
  else io.stdout.write('reloaded\n')
  for (const [what, names] of changes)
    io.stdout.write(`  ${words.get(what) ?? what}: ${names.join(', ')}\n`)
  if (answer.needRestart.length > 0)
    io.stdout.write(`  waits for a restart: ${answer.needRestart.join(', ')}\n`)
  for (const warning of answer.warnings) warn(io, warning)
}

const unchanged = 'nothing has changed since the daemon last read it, as it does by itself'

const words = new Map([
  ['sections', 'changed'],
  ['encodersAdded', 'encoders added'],
  ['encodersRemoved', 'encoders removed'],
  ['encodersChanged', 'encoders changed'],
  ['leaseIdsChanged', 'encoders with another leaseId, which hold none of their earlier pins'],
  ['keysAdded', 'keys added'],
  ['keysRemoved', 'keys removed'],
  ['keysChanged', 'keys changed'],
  ['files', 'files with new contents'],
])
