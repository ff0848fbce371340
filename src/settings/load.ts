/** Turns the configuration file into the settings in force, or into all that is wrong with it. */
import { dirname, resolve } from 'node:path'
import { buildKeyring } from './keyring/keyring.js'
import { parseJson } from './files/parse.js'
import { ConfigError, type Problem } from './problems.js'
import { readConfig } from './files/read.js'
import { rulesBroken } from './rules.js'
import type { Config } from './schema/schema.js'
import { readSecrets } from './files/secrets.js'
import type { Snapshot } from './snapshot.js'
import type { TlsMaterial } from './files/tls-pair.js'
import { validate, type Validated } from './schema/validate.js'
import { warningsOf } from './warnings.js'

export interface Settings {
  readonly snapshot: Snapshot
  /** For the listener alone, so it is no part of the snapshot that every request holds. */
  readonly tls: TlsMaterial | undefined
  /** Allowed, but likely a slip, or good to know. */
  readonly warnings: readonly string[]
}

/** Throws a ConfigError that holds every problem. */
export async function loadSettings(path: string): Promise<Settings> {
  const { text, stat } = await readConfig(path)
  const settings = settingsFrom(text, dirname(resolve(path)))
  if ((stat.mode & 0o004n) === 0n) return settings
  return { ...settings, warnings: ['the file is readable by everybody', ...settings.warnings] }
}

/** The same for a text; files it names are looked for from `baseDir`. */
export function settingsFrom(text: string, baseDir: string): Settings {
  const { value, problems } = parseJson(text)
  return settingsOf(value, problems, baseDir)
}

/** The same for an object, such as a test or the demo has it. */
export function snapshotFrom(
  input: unknown,
  options: { readonly baseDir?: string } = {},
): Snapshot {
  return settingsOf(structuredClone(input), [], options.baseDir ?? process.cwd()).snapshot
}

/** The configuration of a file, without a look at the files that it names. */
export async function loadConfig(path: string): Promise<Config> {
  const config = configFrom((await readConfig(path)).text)
  makePathsAbsolute(config, dirname(resolve(path)))
  return config
}

/** The configuration of a text, without a look at the files that it names. */
export function configFrom(text: string): Config {
  const { value, problems } = parseJson(text)
  const { config, problems: more } = examine(value)
  refuse([...problems, ...more])
  return config
}

function settingsOf(value: unknown, known: readonly Problem[], baseDir: string): Settings {
  const now = Date.now()
  const { config, problems } = examine(value)
  makePathsAbsolute(config, baseDir)
  const secrets = readSecrets(config, baseDir, now)
  refuse([...known, ...problems, ...socketProblems(config), ...secrets.problems])
  const { tls, endpointSecrets, storeSecrets } = secrets
  const snapshot = Object.freeze({
    config: frozen(config),
    keyring: buildKeyring(config),
    endpointSecrets: frozen(endpointSecrets),
    storeSecrets: frozen(storeSecrets),
  })
  return { snapshot, tls, warnings: [...warningsOf(config, now), ...secrets.warnings] }
}

/** Whoever opens a file later need not know where the configuration came from. */
function makePathsAbsolute(
  { listen: { tls }, admin, control, cluster, listing, log, lookBack, journal, store }: Config,
  baseDir: string,
): void {
  if (tls !== undefined) {
    tls.certFile = resolve(baseDir, tls.certFile)
    tls.keyFile = resolve(baseDir, tls.keyFile)
  }
  if (log.file !== undefined) log.file = resolve(baseDir, log.file)
  journal.directory = resolve(baseDir, journal.directory)
  if (lookBack !== undefined) lookBack.directory = resolve(baseDir, lookBack.directory)
  for (const field of ['passwordFile', 'caFile'] as const) {
    const named = store[field]
    if (named !== undefined) store[field] = resolve(baseDir, named)
  }
  if (listing.directory !== undefined) listing.directory = resolve(baseDir, listing.directory)
  if (admin?.socket !== undefined) admin.socket = resolve(baseDir, admin.socket)
  if (control !== undefined) control.socket = resolve(baseDir, control.socket)
  for (const endpoint of cluster.endpoints)
    for (const field of ['passwordFile', 'caFile', 'socket'] as const) {
      const file = endpoint[field]
      if (file !== undefined) endpoint[field] = resolve(baseDir, file)
    }
}

/** Of the whole path: a longer one would be cut short, and somebody else's file made (unix(7)). */
function socketProblems({ admin, control, cluster }: Config): Problem[] {
  const sockets = [
    ['admin.socket', admin?.socket] as const,
    ['control.socket', control?.socket] as const,
    ...cluster.endpoints.map(
      ({ socket }, index) => [`cluster.endpoints[${index}].socket`, socket] as const,
    ),
  ]
  return sockets.flatMap(([path, socket = '']) => {
    const bytes = Buffer.byteLength(socket)
    if (bytes <= socketBytesMax) return []
    const expected = `at most ${socketBytesMax}, with its directory`
    return [{ path, found: `a path of ${bytes} bytes`, expected }]
  })
}

const socketBytesMax = 107

/** The rules between fields are checked also where other fields are at fault. */
function examine(value: unknown): Validated {
  const { config, problems } = validate(value)
  return { config, problems: [...problems, ...rulesBroken(config)] }
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems)
}

/** All the way down: whoever holds a snapshot may rely on it to stay as it is. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}
