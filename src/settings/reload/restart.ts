/** Which settings wait for a restart, by the annotation `restart` of the schema. */
import { isDeepStrictEqual } from 'node:util'
import { compiledSchema } from '../schema/compiled-schema.js'
import type { FieldSchema } from '../schema/field-schema.js'
import type { Config } from '../schema/schema.js'

/**
 * A section is named as a whole where all of it waits, and by its fields where some of them do.
 *
 * @param started what the daemon was started with
 * @returns the fields that wait for a restart, such as `listen.port`
 */
export function waitingFields(started: Config, wanted: Config): readonly string[] {
  return waitingIn(all, started, wanted)
}

/** `listen` as it goes on: what waits is as before, and all else as wanted. */
export function listenInForce(before: Config, wanted: Config): Config['listen'] {
  return inForce(listen, before.listen, wanted.listen) as Config['listen']
}

interface Field {
  readonly name: string
  /** Such as `listen.port`. */
  readonly path: string
  /** What it says itself, or else its section. */
  readonly restart: boolean
  /** None if what is within waits as the field itself does. */
  readonly fields: readonly Field[]
}

/** The build sees to it that each field says `restart`, itself or by its section. */
function fieldOf(name: string, path: string, schema: FieldSchema, inherited = false): Field {
  const { restart = inherited, properties = {} } = schema
  const fields = Object.entries(properties).map(([inner, field]) =>
    fieldOf(inner, path === '' ? inner : `${path}.${inner}`, field, restart),
  )
  const isMixed = fields.some((field) => field.restart !== restart || field.fields.length > 0)
  return { name, path, restart, fields: isMixed ? fields : [] }
}

const all = fieldOf('', '', compiledSchema)
const listen = fieldOf('listen', 'listen', compiledSchema.properties.listen ?? {})

/** Fields of `listen` that a reload puts into force, or some of what is in them. */
export const reloadedOfListen = listen.fields
  .filter(({ restart, fields }) => !restart || fields.length > 0)
  .map(({ name }) => name as keyof Config['listen'])

function waitingIn(field: Field, started: unknown, wanted: unknown): readonly string[] {
  const { path, restart, fields } = field
  const isSame = () =>
    fields.length === 0
      ? isDeepStrictEqual(started, wanted)
      : (started === undefined) === (wanted === undefined)
  // Thousands of encoders, which never wait, are not compared.
  if (restart && !isSame()) return [path]
  return fields.flatMap((inner) =>
    waitingIn(inner, valueOf(started, inner.name), valueOf(wanted, inner.name)),
  )
}

function inForce({ restart, fields }: Field, before: unknown, wanted: unknown): unknown {
  if (fields.length === 0 || before === undefined || wanted === undefined)
    return restart ? before : wanted
  const values = fields.map(
    (inner) =>
      [
        inner.name,
        inForce(inner, valueOf(before, inner.name), valueOf(wanted, inner.name)),
      ] as const,
  )
  return Object.freeze(Object.fromEntries(values.filter(([, value]) => value !== undefined)))
}

const valueOf = (section: unknown, name: string): unknown =>
  (section as Readonly<Record<string, unknown>> | undefined)?.[name]
