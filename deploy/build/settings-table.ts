/** The README's table of settings, written from the schema. */
import { compiledSchema } from '../../src/settings/schema/compiled-schema.js'
import type { FieldSchema } from '../../src/settings/schema/field-schema.js'

/** In markdown, aligned as prettier does it. */
export function settingsTable(): string {
  const rows = [head, ...rowsOf('', compiledSchema, true)].map((row) =>
    row.map((cell) => cell.replaceAll('|', '\\|')),
  )
  const widths = head.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column]))))
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0))
    return `| ${cells.join(' | ')} |\n`
  })
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |\n`
  return [lines[0], rule, ...lines.slice(1)].join('')
}

type Row = readonly [field: string, fallback: string, restart: string, meaning: string]

const head: Row = ['Field', 'Default', 'Restart', 'Meaning']

/** A row for the field itself, then those of the fields within. */
function rowsOf(path: string, schema: FieldSchema, isRequired: boolean, inherited = false): Row[] {
  const { properties = {}, patternProperties = {}, items, restart = inherited } = schema
  const own: Row = [
    `\`${path}\``,
    fallbackOf(schema, isRequired),
    restartOf(schema, restart),
    meaningOf(schema),
  ]
  const fields = Object.entries(properties).flatMap(([name, field]) => {
    const isRequired = schema.required?.includes(name) === true
    return rowsOf(path === '' ? name : `${path}.${name}`, field, isRequired, restart)
  })
  const entries = Object.values(patternProperties)
    .filter(({ properties }) => properties !== undefined)
    .flatMap((entry) => fieldsOf(`${path}.NAME`, entry, restart))
  const listed = items?.properties === undefined ? [] : fieldsOf(`${path}[]`, items, restart)
  return [...(path === '' ? [] : [own]), ...fields, ...entries, ...listed]
}

/** The rows of what is within, without one for the object: its list or record has it. */
function fieldsOf(path: string, schema: FieldSchema, inherited: boolean): Row[] {
  return rowsOf(path, schema, true, inherited).slice(1)
}

function fallbackOf(schema: FieldSchema, isRequired: boolean): string {
  if (schema.properties !== undefined) return ''
  if ('default' in schema) return `\`${JSON.stringify(schema.default)}\``
  return isRequired ? 'required' : 'none'
}

/** Whether a new value waits for a restart, or only that of some fields within. */
function restartOf(schema: FieldSchema, restart: boolean): string {
  if (isMixed(schema, restart)) return 'in part'
  return restart ? 'yes' : ''
}

function isMixed({ properties = {} }: FieldSchema, restart: boolean): boolean {
  return Object.values(properties).some(
    (field) => (field.restart ?? restart) !== restart || isMixed(field, restart),
  )
}

function meaningOf(schema: FieldSchema): string {
  const { description = '', minimum, maximum, maxItems } = schema
  const parts = [description]
  const choices = schema.enum ?? schema.items?.enum
  const some = schema.enum === undefined ? 'Any' : 'One'
  if (choices !== undefined)
    parts.push(`${some} of ${choices.map((word) => `\`${word}\``).join(', ')}.`)
  if (minimum !== undefined && maximum !== undefined) parts.push(`${minimum} to ${maximum}.`)
  if (maxItems !== undefined && maxItems > 1) parts.push(`At most ${maxItems}.`)
  return parts.join(' ')
}

function widthOf(cell: string | undefined): number {
  return cell?.length ?? 0
}
