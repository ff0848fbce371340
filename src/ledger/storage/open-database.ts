/** Opens the ledger's file for one process alone; sets a damaged file aside. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import {
  asDiskFault,
  DiskFault,
  isDamage,
  NoFileYet,
  sqliteCode,
  sqliteCodes,
} from './disk-fault.js'
import { syncDirectorySync } from './disk-reserve.js'
import { knownVersion, versionOf } from './ledger-schema.js'

export const inMemory = ':memory:'

/** Another process has the ledger. */
export class LedgerInUse extends Error {
  override readonly name = 'LedgerInUse'

  constructor(path: string, cause: unknown) {
    super(`another daemon uses the ledger in ${dirname(path)}`, { cause })
  }
}

/** The file is damaged, and stays in place. */
export class DamagedLedger extends Error {
  override readonly name = 'DamagedLedger'

  constructor(
    path: string,
    readonly problems: readonly string[],
  ) {
    super(`${path} is damaged: the daemon sets it aside at its next start`)
  }
}

export interface OpenDatabase {
  readonly db: DatabaseSync
  /** Path of the damaged file that was set aside. */
  readonly setAside: string | undefined
}

/**
 * @param setsAside false: a damaged file stays, and {@link DamagedLedger} is thrown
 * @throws Error with a sentence, if the file cannot be opened
 * @throws LedgerInUse
 * @throws NoFileYet
 * @throws DiskFault
 */
export function openDatabase(path: string, setsAside = true): OpenDatabase {
  if (path === inMemory) return { db: configure(new DatabaseSync(path)), setAside: undefined }
  const before = openFile(path)
  const damage = damageOf(before)
  if (damage.length === 0) return { db: checkedVersion(before, path), setAside: undefined }
  if (!setsAside) {
    before.close()
    throw new DamagedLedger(path, damage)
  }
  const setAside = putAside(path)
  // Unlocks only now, so that no other process takes the damaged file or its place before.
  before.close()
  return { db: openFile(path, setAside), setAside }
}

/** Whether another process has the file now. Opening it finds all other problems. */
export function isLedgerHeld(path: string): boolean {
  if (!existsSync(path)) return false
  let db
  try {
    db = new DatabaseSync(path)
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    return sqliteCode(error) === sqliteCodes.busy
  } finally {
    db?.close()
  }
}

function openFile(path: string, setAside?: string): DatabaseSync {
  try {
    makeFile(path)
    return openAlone(path)
  } catch (error) {
    const fault = asDiskFault(error)
    const isEmpty = !statSync(path, { throwIfNoEntry: false })?.size
    throw isEmpty && fault instanceof DiskFault ? new NoFileYet(error, setAside) : fault
  }
}

/** @throws Error with a sentence */
function makeFile(path: string): void {
  const directory = dirname(path)
  try {
    mkdirSync(directory, { recursive: true, mode: 0o750 })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    // It is tried again, as for a file.
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') throw error
    throw new Error(`the ledger cannot be kept in ${directory}: ${whyOf(error)}`, { cause: error })
  }
  if (existsSync(path)) {
    for (const suffix of ['', '-wal', '-shm']) refuseForbidden(path + suffix)
    return
  }
  // Does not open an existing file: closing it would end this process's locks on it.
  closeSync(openSync(path, 'wx', 0o600))
  syncDirectorySync(directory)
}

/** Adds the reason, as SQLite says only "unable to open". @throws Error with a sentence */
function refuseForbidden(path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    const user = process.getuid?.() ?? 'this user'
    const text = `user ${user} may not read and write ${path}, which is of user ${stat.uid}`
    throw new Error(`${text}: chown it to the daemon's user`, { cause: error })
  }
}

function whyOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EACCES' || code === 'EPERM') return 'this user may not write there'
  if (code === 'EROFS') return 'the file system is read-only'
  if (code === 'ENOTDIR' || code === 'EEXIST') return 'that is not a directory'
  return error instanceof Error ? error.message : String(error)
}

/** How long to wait for a command, which locks the file for a moment while it reads. */
const busyMs = 1000

function openAlone(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: busyMs })
  try {
    return configure(db)
  } catch (error) {
    // The caller meets the same error, and reports it.
    if (isDamage(error)) return db
    db.close()
    if (sqliteCode(error) === sqliteCodes.busy) throw new LedgerInUse(path, error)
    throw error
  }
}

/**
 * The locks are the kernel's, on the file itself: they hold across containers with one volume, and
 * end with the process. The default mode would take them for each transaction only.
 */
function configure(db: DatabaseSync): DatabaseSync {
  db.exec('PRAGMA locking_mode = EXCLUSIVE')
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  db.exec('PRAGMA cache_size = -4096')
  db.exec('PRAGMA temp_store = MEMORY')
  // 2 MB: on a full disk the rest of the reserve lets the main file grow.
  db.exec('PRAGMA wal_autocheckpoint = 512')
  db.exec('PRAGMA journal_size_limit = 16777216')
  // SQLite takes the lock with the first read.
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
  return db
}

/** Faults that SQLite finds; none: the file is whole. */
function damageOf(db: DatabaseSync): readonly string[] {
  try {
    const findings = db.prepare('PRAGMA quick_check(20)').all()
    return findings.map((each) => String(each.quick_check)).filter((it) => it !== 'ok')
  } catch (error) {
    if (isDamage(error)) return [error instanceof Error ? error.message : String(error)]
    throw error
  }
}

function checkedVersion(db: DatabaseSync, path: string): DatabaseSync {
  const version = versionOf(db)
  if (version <= knownVersion) return db
  db.close()
  throw new Error(
    `the ledger in ${dirname(path)} was written by a newer release (version ${version} of its ` +
      `tables, this release knows ${knownVersion}): install that release again`,
  )
}

/** Renames the file and its log, to a name that SQLite's own tools open. */
function putAside(path: string): string {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  let name = `${path}.damaged-${stamp}`
  for (let count = 2; existsSync(name); count++) name = `${path}.damaged-${stamp}-${count}`
  for (const suffix of ['', '-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, name + suffix)
  syncDirectorySync(dirname(path))
  return name
}
