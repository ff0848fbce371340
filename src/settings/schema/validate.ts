/** Holds a parsed file against the schema: fills in the defaults and finds every problem. */
import { locatedProblem, type LocatedProblem } from './schema-problems.js'
import type { Problem, Segment } from '../problems.js'
import { matches } from './compiled-validator.js'
import { memory, namePattern } from './names.js'
import type { Config } from './schema.js'

export interface Validated {
  /** All of it, or if there are problems its sound part: faulty sections and encoders left out. */
  readonly config: Config
  readonly problems: readonly Problem[]
}

/** Changes `value`: it becomes the config. */
export function validate(value: unknown): Validated {
  if (isRecord(value) && value.store === memory) value.store = {}
  if (matches(value)) return { config: withOwnNames(value), problems: [] }
  const faults = (matches.errors ?? []).map((error) => locatedProblem(value, error))
  // One problem a field: a second message about the same field only repeats the first.
  const problems = new Map<string, Problem>()
  for (const { problem } of faults)
    if (!problems.has(problem.path)) problems.set(problem.path, problem)
  const rest = soundPart(value, faults)
  if (!matches(rest)) throw new Error('the sound part of a configuration is not sound')
  return { config: withOwnNames(rest), problems: [...problems.values()] }
}

/** What is looked up by a name has no prototype: else `constructor` would be there unasked. */
function withOwnNames(config: Config): Config {
  for (const named of [config.encoders, config.roles, config.retentionDays])
    Object.setPrototypeOf(named, null)
  return config
}

/** Without the sections, encoders and roles at fault, so that the rest can be checked further. */
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
    // An empty role stays: its name is known, though what it permits is not.
    else if (section === 'roles' && new RegExp(namePattern).test(String(entry))) entries[entry] = []
    else Reflect.deleteProperty(entries, entry)
  }
  return value
}

export function isRecord(value: unknown): value is Record<Segment, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
