/** Gives commands access to the ledger: through the daemon, or to the file when no daemon runs. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ledgerDirectory, ledgerName } from '../ledger/ledger-directory.js'
import { type NamedEntry, namedEntry } from '../ledger/queue-entry.js'
import type { LedgerFile } from '../ledger/storage/ledger-file.js'
import { encodersOf } from '../settings/keyring/resolve.js'
import type { Config } from '../settings/schema/schema.js'
import { atOnce } from '../time/slices.js'
import { askControl, NoDaemon } from './ask-control.js'
import { CommandError } from './report.js'

/** Where the packages' unit has its StateDirectory. */
const usual = '/var/lib/pinwarden'

/** The daemon's place for the ledger, unless its unit has another StateDirectory. */
export const ledgerPath = (config: Config): string =>
  join(ledgerDirectory(config, usual) ?? usual, ledgerName)

/**
 * `settings`: asks the daemon of the settings, if it runs; `file`: reads the file, as a daemon with
 * other settings may run.
 */
export type LedgerSource = 'settings' | 'file'

/**
 * Asks the daemon, or does the same with the file when no daemon runs.
 *
 * @throws CommandError when a daemon has it that cannot be asked, or it cannot be opened
 */
export async function withLedger<T>(
  config: Config,
  ask: () => Promise<T>,
  read: (file: LedgerFile) => Promise<T> | T,
  source: LedgerSource = 'settings',
): Promise<T> {
  if (source === 'file')
    return withLedgerFile(ledgerPath(config), new CommandError('a daemon has it'), read)
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof NoDaemon)) throw error
    return withLedgerFile(ledgerPath(config), error, read)
  }
}

/** @param whenInUse thrown where a daemon has the file */
export async function withLedgerFile<T>(
  path: string,
  whenInUse: CommandError,
  act: (file: LedgerFile) => Promise<T> | T,
): Promise<T> {
  if (!isThere(path)) throw new NoLedger(path)
  const file = await open(path, whenInUse)
  try {
    return await act(file)
  } finally {
    file.close()
  }
}

/** @throws CommandError this user may not even see that */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const why = code === 'EACCES' ? 'this user may not access its directory' : code
    throw new CommandError(`${path} cannot be read: ${why}`, forRoot)
  }
}

const forRoot = "only the daemon's user and root may read it: try it with sudo"

/** The configured place has no ledger. */
class NoLedger extends CommandError {
  constructor(path: string) {
    super(
      `there is no ledger at ${path}`,
      'ledger.directory in the settings says where it is; without one it is lost with the daemon',
    )
  }
}

async function open(path: string, whenInUse: CommandError): Promise<LedgerFile> {
  const { LedgerFile } = await import('../ledger/storage/ledger-file.js')
  const { DamagedLedger, LedgerInUse } = await import('../ledger/storage/open-database.js')
  try {
    return new LedgerFile({ path, setsAside: false })
  } catch (error) {
    if (error instanceof LedgerInUse) throw whenInUse
    if (error instanceof DamagedLedger) throw new CommandError(damageText(error))
    const why = error instanceof Error ? error.message : String(error)
    throw new CommandError(`${path} cannot be read: ${why}`, forRoot)
  }
}

const damageText = ({ message, problems }: { message: string; problems: readonly string[] }) =>
  [message, ...problems].join('\n  ')

/** In the order in which they were accepted. @throws CommandError */
export async function readQueue(
  config: Config,
  source?: LedgerSource,
): Promise<readonly NamedEntry[]> {
  const ask = async () => {
    const { waiting, rejected } = (await askControl(config, 'GET', '/journal')) as QueueJson
    return [...rejected, ...waiting].map(entryIn)
  }
  try {
    const read = ({ contents }: LedgerFile) => {
      const encoders = [...atOnce(encodersOf(config)).values()]
      const names = new Map(encoders.map(({ leaseId, name }) => [leaseId, name]))
      return contents.queue.map((entry) => namedEntry(entry, (id) => names.get(id)))
    }
    return await withLedger(config, ask, read, source)
  } catch (error) {
    if (error instanceof NoLedger) return []
    throw error
  }
}

/**
 * Names of encoders by leaseId, as the last daemon stored them.
 * @throws CommandError
 */
export async function readNames(
  config: Config,
  source?: LedgerSource,
): Promise<ReadonlyMap<string, string>> {
  const ask = async () => {
    const names = (await askControl(config, 'GET', '/names')) as Readonly<Record<string, string>>
    return new Map(Object.entries(names))
  }
  try {
    return await withLedger(config, ask, ({ rows }) => rows.names(), source)
  } catch (error) {
    if (error instanceof NoLedger) return new Map<string, string>()
    throw error
  }
}

type EntryJson = Omit<NamedEntry, 'untilMs'> & { readonly untilMs: number | null }

interface QueueJson {
  readonly waiting: readonly EntryJson[]
  readonly rejected: readonly EntryJson[]
}

/** JSON knows no Infinity. */
const entryIn = (json: EntryJson): NamedEntry => ({ ...json, untilMs: json.untilMs ?? Infinity })
