/** The paths that a configuration names, found by the annotation `path` of the schema. */
import { resolve } from 'node:path'
import { pathText, type Problem, type Segment } from '../problems.js'
import { compiledSchema } from '../schema/compiled-schema.js'
import type { FieldSchema } from '../schema/field-schema.js'
import type { Config } from '../schema/schema.js'

/** Makes paths absolute, as the daemon's directory may change before it opens a file. */
export function makePathsAbsolute(config: Config, baseDir: string): void {
  for (const { holder, name, path } of pathsIn(config)) holder[name] = resolve(baseDir, path)
}

/** Files whose content is part of the settings. */
export function watchedFiles(config: Config): readonly string[] {
  return pathsIn(config)
    .filter(({ schema }) => schema.watch === true)
    .map(({ path }) => path)
}

const socketBytesMax = 107

/** Each path that the daemon writes to or listens at has one use. Takes absolute paths. */
export function sharedPathProblems(config: Config): readonly Problem[] {
  const all = pathsIn(config)
  const isOwn = ({ schema, segments }: NamedPath): boolean =>
    pathText(segments) === 'log.file' || (schema.path === 'socket' && segments[0] !== 'cluster')
  return all.filter(isOwn).flatMap((own) => {
    const { path, segments } = own
    const name = pathText(segments)
    const other = all.find((one) => one.path === path && one !== own)
    if (other === undefined || (isOwn(other) && pathText(other.segments) > name)) return []
    const found = `also the path of ${pathText(other.segments)}`
    return [{ path: name, found, expected: 'another path' }]
  })
}

/** unix(7) truncates a longer path, which would create another file. Takes absolute paths. */
export function socketProblems(config: Config): readonly Problem[] {
  return pathsIn(config)
    .filter(({ schema }) => schema.path === 'socket')
    .map(({ segments, path }) => ({ path: pathText(segments), bytes: Buffer.byteLength(path) }))
    .filter(({ bytes }) => bytes > socketBytesMax)
    .map(({ path, bytes }) => ({
      path,
      found: `a path of ${bytes} bytes`,
      expected: `at most ${socketBytesMax}, with its directory`,
    }))
}

interface NamedPath {
  readonly path: string
  readonly schema: FieldSchema
  /** Its place in the configuration. */
  readonly segments: readonly Segment[]
  readonly holder: Record<Segment, unknown>
  readonly name: Segment
}

function pathsIn(config: Config): readonly NamedPath[] {
  return fieldsOfPaths.flatMap(({ schema, steps }) =>
    placesAt(config, steps).flatMap((place) => {
      const path = place.holder[place.name]
      return typeof path === 'string' ? [{ ...place, schema, path }] : []
    }),
  )
}

/** Stands for each item of a list, and for each name of a record. */
const each = Symbol('each')

interface Field {
  readonly schema: FieldSchema
  readonly steps: readonly (string | typeof each)[]
}

/** Computed once, and without the encoders: there may be 100,000, and none names a path. */
const fieldsOfPaths = fieldsWithin(compiledSchema, []).filter(
  ({ schema }) => schema.path !== undefined,
)

function fieldsWithin(schema: FieldSchema, steps: Field['steps']): Field[] {
  const { properties = {}, patternProperties = {}, items } = schema
  const named = Object.entries(properties)
  const others = [...Object.values(patternProperties), ...(items === undefined ? [] : [items])]
  return [
    { schema, steps },
    ...named.flatMap(([name, field]) => fieldsWithin(field, [...steps, name])),
    ...others.flatMap((field) => fieldsWithin(field, [...steps, each])),
  ]
}

type Place = Pick<NamedPath, 'segments' | 'holder' | 'name'>

function placesAt(
  value: unknown,
  steps: Field['steps'],
  parents: readonly Segment[] = [],
): Place[] {
  const [step, ...rest] = steps
  if (step === undefined || typeof value !== 'object' || value === null) return []
  const holder = value as Record<Segment, unknown>
  return namesIn(value, step).flatMap((name) => {
    const segments = [...parents, name]
    return rest.length === 0 ? [{ segments, holder, name }] : placesAt(holder[name], rest, segments)
  })
}

function namesIn(value: object, step: string | typeof each): readonly Segment[] {
  if (step !== each) return [step]
  return Array.isArray(value) ? [...value.keys()] : Object.keys(value)
}
