/** Holds a parsed file against the schema: fills in the defaults and finds every problem. */
import { long, sliceSize, type SlicedWork } from '../../time/slices.js'
import { locatedProblem, type LocatedProblem } from './schema-problems.js'
import type { Problem, Segment } from '../problems.js'
import { matches } from './compiled-validator.js'
import { encodersMax, memory, namePattern } from './names.js'
import type { Config } from './schema.js'

export interface Validated {
  /** The whole config, or its valid part without the sections and encoders that have problems. */
  readonly config: Config
  readonly problems: readonly Problem[]
}

/** Turns `value` into the config, in place. */
export function* validate(value: unknown): SlicedWork<Validated> {
  if (isRecord(value) && value.store === memory) value.store = {}
  if (yield* matchesInSlices(value)) return { config: withOwnNames(value as Config), problems: [] }
  yield long
  matches(value)
  const faults = (matches.errors ?? []).map((error) => locatedProblem(value, error))
  // One problem for each field, as a second message about it only repeats the first.
  const problems = new Map<string, Problem>()
  for (const { problem } of faults)
    if (!problems.has(problem.path)) problems.set(problem.path, problem)
  const rest = soundPart(value, faults)
  if (!matches(rest)) throw new Error('the sound part of a configuration is not sound')
  return { config: withOwnNames(rest), problems: [...problems.values()] }
}

/** Some encoders at a time, each time beside all else; false: it may still match as a whole. */
function* matchesInSlices(value: unknown): SlicedWork<boolean> {
  const encoders = isRecord(value) ? value.encoders : undefined
  if (!isRecord(value) || !isRecord(encoders)) return matches(value)
  const entries = Object.entries(encoders)
  if (entries.length > encodersMax) return false
  try {
    for (let from = 0; from === 0 || from < entries.length; from += sliceSize) {
      value.encoders = Object.fromEntries(entries.slice(from, from + sliceSize))
      if (!matches(value)) return false
      yield
    }
    return true
  } finally {
    value.encoders = encoders
  }
}

/** Records have no prototype: else each would have an entry `constructor`. */
function withOwnNames(config: Config): Config {
  for (const named of [config.encoders, config.roles, config.retentionDays])
    Object.setPrototypeOf(named, null)
  return config
}

/** Drops sections, encoders and roles with problems, so that the rest can be checked further. */
function soundPart(value: unknown, faults: readonly LocatedProblem[]): unknown {
  if (!isRecord(value)) return {}
  for (const { segments } of faults) {
    const [section = '', entry] = segments
    const entries = value[section]
    if (
      !['encoders', 'roles'].includes(String(section)) ||
      entry === undefined ||
      !isRecord(entries)
    )
      Reflect.deleteProperty(value, section)
    // The role stays, empty: its name is known, its permissions are not.
    else if (section === 'roles' && new RegExp(namePattern).test(String(entry))) entries[entry] = []
    else Reflect.deleteProperty(entries, entry)
  }
  return value
}

export function isRecord(value: unknown): value is Record<Segment, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
