/** `pinwarden ledger backup`: copies the whole ledger while the daemon uses it. */
import { createWriteStream, existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { backUp } from '../../ledger/storage/back-up.js'
import { loadConfig } from '../../settings/load.js'
import { downloadControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { withLedger } from '../read-ledger.js'
import { CommandError } from '../report.js'

export interface LedgerBackupOptions {
  readonly configPath: string
  /** A new file. */
  readonly file: string
}

export async function ledgerBackup(options: LedgerBackupOptions, io: Io): Promise<number> {
  const config = await loadConfig(options.configPath)
  const path = resolve(options.file)
  if (existsSync(path)) throw new CommandError(`${path} already exists`, 'name a new file')
  const ask = () => downloadControl(config, '/ledger/backup', (answer) => save(answer, path))
  await withLedger(config, ask, (file) => backUp(file, path))
  io.stdout.write(`backed up the ledger to ${path}\n`)
  return 0
}

/** The file gets its name once it is whole. */
async function save(answer: Readable, path: string): Promise<void> {
  const partial = `${path}.partial`
  try {
    await rm(partial, { force: true })
    await pipeline(answer, createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true }))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(`${path} could not be written: ${why}`)
  }
}
