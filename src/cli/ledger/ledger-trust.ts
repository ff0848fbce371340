/**
 * `pinwarden ledger trust`: makes a restored backup the ledger again. `pinwarden ledger forget`:
 * tells all gates that one of them was removed for good, with its ledger.
 */
import { loadConfig } from '../../settings/load.js'
import { askControl } from '../ask-control.js'
import type { Called } from '../command-line.js'
import type { Io } from '../io.js'
import { ledgerPath, withLedgerFile } from '../read-ledger.js'
import { CommandError } from '../report.js'

export async function ledgerTrust({ configPath }: Called, io: Io): Promise<number> {
  const config = await loadConfig(configPath)
  const path = ledgerPath(config)
  const inUse = new CommandError(
    `a daemon is using ${path}`,
    'stop it first: systemctl stop pinwarden',
  )
  const { before, gateId, rejected } = await withLedgerFile(path, inUse, (file) => {
    // Trusting the original would only lose what it owes.
    if (!file.contents.isCopy)
      throw new CommandError(`${path} is not a copy: the gate already trusts it`)
    const waiting = file.contents.queue.filter(({ rejection }) => rejection === undefined)
    return { before: file.gateId, gateId: file.trust(), rejected: waiting.length }
  })
  io.stdout.write(`${path} is now trusted, with the new id ${gateId}\n`)
  if (config.store.redis !== undefined)
    io.stdout.write(
      `the other gates wait for its old id; then run: pinwarden ledger forget ${before}\n`,
    )
  if (rejected > 0)
    io.stdout.write(`${rejected} pins were waiting in it: pinwarden journal list --rejected\n`)
  return 0
}

export interface LedgerForgetOptions {
  readonly configPath: string
  readonly gateId: string
}

/** A repair may pin again what that gate released last, if no other gate knows. */
export async function ledgerForget(options: LedgerForgetOptions, io: Io): Promise<number> {
  const { configPath, gateId } = options
  await askControl(await loadConfig(configPath), 'POST', '/ledger/forget', { gateId })
  io.stdout.write(`${gateId} is forgotten: no gate waits for it any more\n`)
  return 0
}
