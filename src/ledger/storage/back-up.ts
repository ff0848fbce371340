/** Makes a whole copy of the ledger while the daemon writes it. */
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup } from 'node:sqlite'
import { sqliteCode } from './disk-fault.js'
import { syncDirectorySync } from './disk-reserve.js'
import { LedgerFile } from './ledger-file.js'

/** Pages of one portion; commits run between two portions. */
const pages = 500

const attemptsMax = 5

/**
 * The copy is marked as one: a gate that opens it repairs nothing before `ledger trust`.
 *
 * @throws Error if the file already exists, or cannot be written
 */
export async function backUp(file: LedgerFile, path: string): Promise<void> {
  if (existsSync(path)) throw new Error(`${path} exists: name a new file`)
  const partial = `${path}.partial`
  try {
    closeSync(openSync(partial, 'w', 0o600))
    await copyInto(partial, file)
    chmodSync(partial, 0o600)
    markCopy(partial)
    sync(partial)
    renameSync(partial, path)
    syncDirectorySync(dirname(path))
  } catch (error) {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(partial + suffix, { force: true })
    throw error
  }
}

/** A commit that begins together with the copy may end the copy without an error code. */
async function copyInto(path: string, file: LedgerFile): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await backup(file.database, path, { rate: pages })
      return
    } catch (error) {
      if (sqliteCode(error) !== 0 || attempt === attemptsMax) throw error
    }
}

function markCopy(path: string): void {
  const copy = new LedgerFile({ path })
  copy.markCopy()
  copy.close()
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
