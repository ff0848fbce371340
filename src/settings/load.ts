/** Turns the configuration file into settings, or into all of its problems. */
import { dirname, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { buildKeyring } from './keyring/keyring.js'
import { parseJson, withLines } from './files/parse.js'
import { type Environment, overridden, type Override } from './overrides.js'
import { ConfigError, type Problem } from './problems.js'
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
  /** What is likely a mistake, or worth knowing. */
  readonly warnings: readonly string[]
  /** Fields that an environment variable overrides. */
  readonly overrides: readonly Override[]
}

/** @throws ConfigError with every problem */
export async function loadSettings(path: string, env = process.env): Promise<Settings> {
  const { text, stat } = await readConfig(path)
  const settings = await unhurried(text, stepsFrom(text, dirname(resolve(path)), env))
  if ((stat.mode & 0o004n) === 0n) return settings
  return { ...settings, warnings: ['the file is readable by everybody', ...settings.warnings] }
}

/** Loads settings from a text; relative paths start at `baseDir`. */
export const settingsFrom = (text: string, baseDir: string, env: Environment = {}): Settings =>
  atOnce(stepsFrom(text, baseDir, env))

/** Yields between steps: with thousands of encoders each one takes some time. */
type Steps<T = Settings> = Generator<undefined, T>

function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

async function unhurried(text: string, steps: Steps): Promise<Settings> {
  for (;;) {
    const step = inLines(text, () => steps.next())
    if (step.done === true) return step.value
    await setImmediate()
  }
}

function* stepsFrom(text: string, baseDir: string, env: Environment): Steps {
  const { value, problems } = parseJson(text)
  yield
  return yield* settingsOf(value, problems, baseDir, env)
}

/** Problems name the lines of the text that they are in. */
function inLines<T>(text: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(withLines(text, error.problems), error.hint)
  }
}

/** Adds the file's lines to problems that were found later. */
export async function inLinesOf(path: string, problems: readonly Problem[]) {
  return withLines((await readConfig(path)).text, problems)
}

/** Reads the configuration of a file, but not the files that it names. */
export async function loadConfig(path: string, env = process.env): Promise<Config> {
  const { text } = await readConfig(path)
  const config = inLines(text, () => configFrom(text, env))
  makePathsAbsolute(config, dirname(resolve(path)))
  return config
}

/**
 * The valid part of the file, else defaults: for commands that ask a running daemon, whose settings
 * may be older than the file.
 */
export async function soundConfig(path: string, env: Environment): Promise<Config> {
  let value: unknown = {}
  try {
    value = parseJson((await readConfig(path)).text).value
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
  }
  overridden(value, env)
  const { config } = validate(value)
  makePathsAbsolute(config, dirname(resolve(path)))
  return config
}

/** Reads the configuration of a text, but not the files that it names. */
export function configFrom(text: string, env: Environment = {}): Config {
  const { value, problems } = parseJson(text)
  const { config, problems: more } = atOnce(examine(value, overridden(value, env)))
  refuse([...problems, ...more])
  return config
}

function* settingsOf(
  value: unknown,
  known: readonly Problem[],
  baseDir: string,
  env: Environment = {},
): Steps {
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
  frozen(config)
  yield
  const keyring = buildKeyring(config)
  yield
  const snapshot = Object.freeze({
    ...{ config, keyring },
    endpointSecrets: frozen(endpointSecrets),
    storeSecrets: frozen(storeSecrets),
  })
  const warnings = [...warningsOf(config, now, tls?.cert), ...secrets.warnings]
  return { snapshot, tls, fileDigests, warnings, overrides }
}

/** Checks the rules between fields even if other fields have problems. */
function* examine(value: unknown, overrides: readonly Override[]): Steps<Validated> {
  const { config, problems } = validate(value)
  yield
  const variables = new Map(overrides.map(({ variable, field }) => [field, variable]))
  const all = [...problems, ...rulesBroken(config)].map((problem) => {
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
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(frozen)
    Object.freeze(value)
  }
  return value
}
