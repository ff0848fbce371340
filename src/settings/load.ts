/** Turns the configuration file into the settings in force, or into all that is wrong with it. */
import { dirname, resolve } from 'node:path'
import { buildKeyring } from './keyring/keyring.js'
import { parseJson } from './files/parse.js'
import { ConfigError, type Problem } from './problems.js'
import { makePathsAbsolute, socketProblems } from './files/paths.js'
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
  /** Field → digest of what the file that it names holds. */
  readonly fileDigests: ReadonlyMap<string, string>
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
  const { tls, endpointSecrets, storeSecrets, digests: fileDigests } = secrets
  const snapshot = Object.freeze({
    config: frozen(config),
    keyring: buildKeyring(config),
    endpointSecrets: frozen(endpointSecrets),
    storeSecrets: frozen(storeSecrets),
  })
  const warnings = [...warningsOf(config, now), ...secrets.warnings]
  return { snapshot, tls, fileDigests, warnings }
}

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
