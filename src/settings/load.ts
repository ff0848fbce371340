/** Turns the configuration file into settings, or into all of its problems. */
import { once } from 'node:events'
import { dirname, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { atOnce, inSlices, type SlicedWork, unhurried } from '../time/slices.js'
import { buildKeyring } from './keyring/keyring.js'
import { legibleJson, parseJson, withLines } from './files/parse.js'
import { type Environment, misspelt, overridden, type Override } from './overrides.js'
import { ConfigError, firstProblems, type Problem } from './problems.js'
import { makePathsAbsolute, sharedPathProblems, socketProblems } from './files/paths.js'
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
  /** For the listener alone, so a request's snapshot does not have it. */
  readonly tls: TlsMaterial | undefined
  /** Field → digest of its file's content. */
  readonly fileDigests: ReadonlyMap<string, string>
  /** Likely mistakes, and other things worth knowing. */
  readonly warnings: readonly string[]
  /** Fields that an environment variable overrides. */
  readonly overrides: readonly Override[]
}

/** A shorter text has all its faults found at once. */
const longText = 100_000

/**
 * @param serves whether the process has other work, which a long search for faults must not stop
 * @throws ConfigError with every problem
 */
export async function loadSettings(
  path: string,
  env = process.env,
  { serves = false } = {},
): Promise<Settings> {
  const { text, stat } = await readConfig(path)
  const source = { text, baseDir: dirname(resolve(path)) }
  const isElsewhere = serves && text.length > longText
  const beforeLong = (): void => {
    if (isElsewhere) throw new ConfigError([])
  }
  const settings = await unhurried(stepsFrom(text, source.baseDir, env), beforeLong).catch(
    async (error: unknown) => {
      throw isElsewhere && error instanceof ConfigError
        ? await refusedInThread(source, error)
        : inLines(text, error)
    },
  )
  if ((stat.mode & 0o004n) === 0n) return settings
  return { ...settings, warnings: ['the file is readable by everybody', ...settings.warnings] }
}

/** Loads settings from a text; relative paths start at `baseDir`. */
export const settingsFrom = (text: string, baseDir: string, env: Environment = {}): Settings =>
  atOnce(stepsFrom(text, baseDir, env))

function* stepsFrom(text: string, baseDir: string, env: Environment): SlicedWork<Settings> {
  const { value, problems } = yield* parseJson(text)
  yield
  return yield* settingsOf(value, problems, baseDir, env)
}

/** A configuration whose faults are to be found. */
export interface Source {
  readonly text: string
  readonly baseDir: string
}

export type FoundFaults = Pick<ConfigError, 'problems' | 'hint'>

/** The first faults of a text, with their lines; undefined: it has none. */
export function faultsOf({ text, baseDir }: Source, env: Environment): FoundFaults | undefined {
  try {
    settingsFrom(text, baseDir, env)
    return undefined
  } catch (error) {
    const found = inLines(text, error)
    if (!(found instanceof ConfigError)) throw found
    return { problems: firstProblems(found.problems), hint: found.hint }
  }
}

/** @param known what is thrown if the thread finds no fault, as a file was fixed */
async function refusedInThread(source: Source, known: ConfigError): Promise<ConfigError> {
  const worker = new Worker(new URL('./fault-worker.js', import.meta.url), {
    ...{ name: 'settings', workerData: source, execArgv: [] },
  })
  const [refused] = (await once(worker, 'message')) as [FoundFaults | undefined]
  return refused === undefined ? known : new ConfigError(refused.problems, refused.hint)
}

/** Problems name the lines of the text that they are in. */
function inLines(text: string, error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error
  return new ConfigError(withLines(text, error.problems), error.hint)
}

/** Adds the file's lines to problems that were found later. */
export async function inLinesOf(path: string, problems: readonly Problem[]) {
  return withLines((await readConfig(path)).text, problems)
}

/** Reads the configuration of a file, but not the files that it names. */
export async function loadConfig(path: string, env = process.env): Promise<Config> {
  const config = configFrom((await readConfig(path)).text, env)
  makePathsAbsolute(config, dirname(resolve(path)))
  return config
}

/**
 * The legible and valid part of the file, else defaults: for commands that ask a running daemon,
 * whose settings may be older than the file.
 */
export async function soundConfig(path: string, env: Environment): Promise<Config> {
  let value: unknown = {}
  try {
    value = legibleJson((await readConfig(path)).text) ?? {}
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
  }
  overridden(value, env)
  const { config } = atOnce(validate(value))
  makePathsAbsolute(config, dirname(resolve(path)))
  return config
}

/** Reads the configuration of a text, but not the files that it names. */
export function configFrom(text: string, env: Environment = {}): Config {
  try {
    const { value, problems } = atOnce(parseJson(text))
    const { config, problems: more } = atOnce(examine(value, overridden(value, env)))
    refuse([...problems, ...more])
    return config
  } catch (error) {
    throw inLines(text, error)
  }
}

function* settingsOf(
  value: unknown,
  known: readonly Problem[],
  baseDir: string,
  env: Environment = {},
): SlicedWork<Settings> {
  const now = Date.now()
  const overrides = overridden(value, env)
  const { config, problems } = yield* examine(value, overrides)
  yield
  makePathsAbsolute(config, baseDir)
  const secrets = readSecrets(config, baseDir, now)
  refuse([
    ...known,
    ...problems,
    ...socketProblems(config),
    ...sharedPathProblems(config),
    ...secrets.problems,
  ])
  const { tls, endpointSecrets, storeSecrets, digests: fileDigests } = secrets
  yield* inSlices(Object.values(config.encoders), frozen)
  frozen(config)
  yield
  const keyring = yield* buildKeyring(config)
  yield
  const snapshot = Object.freeze({
    ...{ config, keyring },
    endpointSecrets: frozen(endpointSecrets),
    storeSecrets: frozen(storeSecrets),
  })
  const found = yield* warningsOf(config, now, tls?.cert)
  const warnings = [...misspelt(env), ...found, ...secrets.warnings]
  return { snapshot, tls, fileDigests, warnings, overrides }
}

/** Checks the rules between fields even if other fields have problems. */
function* examine(value: unknown, overrides: readonly Override[]): SlicedWork<Validated> {
  const { config, problems } = yield* validate(value)
  yield
  const variables = new Map(overrides.map(({ variable, field }) => [field, variable]))
  const all = [...problems, ...(yield* rulesBroken(config))].map((problem) => {
    const variable = variables.get(problem.path)
    return variable === undefined ? problem : { ...problem, path: `${variable} (${problem.path})` }
  })
  return { config, problems: all }
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems)
}

/** Freezes deeply, as a snapshot never changes. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}
