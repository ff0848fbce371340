/** Which settings wait for a restart, by the annotation `restart` of the schema. */
import { isDeepStrictEqual } from 'node:util'
import { compiledSchema } from '../schema/compiled-schema.js'
import type { FieldSchema } from '../schema/field-schema.js'
import type { Config } from '../schema/schema.js'

/**
 * Names a section if all of it waits, otherwise the fields that wait.
 *
 * @param started the settings of the start
 * @returns the fields that wait for a restart, such as `listen.port`
 */
export function waitingFields(started: Config, wanted: Config): readonly string[] {
  return waitingIn(all, started, wanted)
}

/** `listen` in force: old values of fields that wait for a restart, else new ones. */
export function listenInForce(before: Config, wanted: Config): Config['listen'] {
  return inForce(listen, before.listen, wanted.listen) as Config['listen']
}

interface Field {
  readonly name: string
  /** Such as `listen.port`. */
  readonly path: string
  /** Its own annotation, or that of its section. */
  readonly restart: boolean
  /** Fields within; empty if all have the annotation of the field itself. */
  readonly fields: readonly Field[]
}

/** The build checks that each field has `restart`, itself or by its section. */
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

/** Fields of `listen` that a reload applies, in whole or in part. */
export const reloadedOfListen = listen.fields
  .filter(({ restart, fields }) => !restart || fields.length > 0)
  .map(({ name }) => name as keyof Config['listen'])

function waitingIn(field: Field, started: unknown, wanted: unknown): readonly string[] {
  const { path, restart, fields } = field
  const isSame = () =>
    fields.length === 0
      ? isDeepStrictEqual(started, wanted)
      : (started === undefined) === (wanted === undefined)
  // Skips the encoders: there may be thousands, and they never wait.
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
