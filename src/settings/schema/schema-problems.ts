/** Turns what the validator says about a field into a problem that an operator understands. */
import type { ErrorObject } from 'ajv'
import type { FieldSchema } from './field-schema.js'
import { editsBetween } from '../../text/edits-between.js'
import {
  foundText,
  missing,
  pathText,
  type Problem,
  type Segment,
  unknownField,
} from '../problems.js'

export interface LocatedProblem {
  readonly segments: readonly Segment[]
  readonly problem: Problem
}

export function locatedProblem(root: unknown, error: ErrorObject): LocatedProblem {
  const parent = segmentsOf(root, error.instancePath)
  const field = fieldOf(error)
  const segments = field === undefined ? parent : [...parent, field]
  return { segments, problem: { path: pathText(segments), ...foundAndExpected(error, field) } }
}

function foundAndExpected(error: ErrorObject, field: string | undefined): Omit<Problem, 'path'> {
  const schema = error.parentSchema as FieldSchema
  if (field === undefined) return { found: foundIn(error, schema), expected: expectedBy(schema) }
  const fields = schema.properties
  if (fields === undefined) return { found: 'this name', expected: schema.expects ?? 'another' }
  if (error.keyword === 'required')
    return { found: missing, expected: expectedBy(fields[field] ?? {}) }
  const known = Object.keys(fields).filter((name) => fields[name]?.deprecated !== true)
  const expected = nearest(field, known)
  const isGuess = expected.startsWith('perhaps ')
  const says = isGuess ? `did you mean ${expected.slice(8)}?` : `use ${expected}`
  return { found: unknownField, expected, says }
}

/** The field that the error is about, if it is not about the object itself. */
function fieldOf({ keyword, params }: ErrorObject): string | undefined {
  const { additionalProperty, missingProperty } = params as Record<string, unknown>
  const field = keyword === 'required' ? missingProperty : additionalProperty
  return typeof field === 'string' ? field : undefined
}

function foundIn({ data, keyword }: ErrorObject, schema: FieldSchema): string {
  if (keyword === 'uniqueItems') return 'the same item twice'
  if (keyword === 'maxProperties') return `${Object.keys(data as object).length} entries`
  return schema.secret === true && typeof data === 'string'
    ? `a string of ${data.length} characters (not shown)`
    : foundText(data)
}

/** JSON pointer (RFC 6901) to segments; whether a number is an index shows only in the data. */
function segmentsOf(root: unknown, pointer: string): Segment[] {
  let at = root
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const field = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const segment = Array.isArray(at) ? Number(field) : field
      at = (at as Record<Segment, unknown>)[segment]
      return segment
    })
}

function expectedBy(schema: FieldSchema): string {
  const { type, minLength, maxLength } = schema
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (type === 'integer') return `a whole number${between(schema.minimum, schema.maximum)}`
  if (type === 'boolean') return 'true or false'
  if (type === 'array') {
    const distinct = schema.uniqueItems === true ? ', no item twice' : ''
    return `a list${between(schema.minItems, schema.maxItems)}${distinct}`
  }
  if (schema.maxProperties !== undefined)
    return `an object of at most ${schema.maxProperties} entries`
  if (type === 'object') return 'an object'
  return schema.expects ?? `a string${between(minLength, maxLength, ' characters')}`
}

function between(minimum: number | undefined, maximum: number | undefined, unit = ''): string {
  if (maximum === undefined) return ''
  if (minimum === maximum) return ` of ${maximum}${unit}`
  return minimum === undefined
    ? ` of at most ${maximum}${unit}`
    : ` of ${minimum} to ${maximum}${unit}`
}

/** The most similar known field, or all of them. */
function nearest(field: string, known: readonly string[]): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  const wanted = plain(field)
  const distance = (name: string): number => {
    const text = plain(name)
    const isPart = text.startsWith(wanted) || wanted.startsWith(text)
    return Math.min(isPart ? 2 : Infinity, editsBetween(wanted, text))
  }
  const least = Math.min(...known.map(distance))
  const isClose = wanted !== '' && least <= Math.min(2, wanted.length / 2)
  const close = isClose ? known.filter((name) => distance(name) === least) : []
  return close.length > 0 ? `perhaps ${close.join(' or ')}` : `one of ${known.join(', ')}`
}
