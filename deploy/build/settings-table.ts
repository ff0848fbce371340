/** The README's table of settings, written from the schema. */
import { compiledSchema } from '../../src/settings/schema/compiled-schema.js'
import type { FieldSchema } from '../../src/settings/schema/field-schema.js'

/** In markdown, aligned as prettier does it. */
export function settingsTable(): string {
  const rows = [['Field', 'Default', 'Meaning'] as const, ...rowsOf('', compiledSchema, true)].map(
    (row) => row.map((cell) => cell.replaceAll('|', '\\|')),
  )
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => widthOf(row[column]))))
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0))
    return `| ${cells.join(' | ')} |\n`
  })
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |\n`
  return [lines[0], rule, ...lines.slice(1)].join('')
}

type Row = readonly [field: string, fallback: string, meaning: string]

/** A row for the field itself, then those of the fields within. */
function rowsOf(path: string, schema: FieldSchema, isRequired: boolean): Row[] {
  const own: Row[] =
    path === '' ? [] : [[`\`${path}\``, fallbackOf(schema, isRequired), meaningOf(schema)]]
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rowsOf(path === '' ? name : `${path}.${name}`, field, schema.required?.includes(name) === true),
  )
  const named = Object.values(schema.patternProperties ?? {})
    .filter(({ properties }) => properties !== undefined)
    .flatMap((entry) => fieldsOf(`${path}.NAME`, entry))
  const items = schema.items?.properties === undefined ? [] : fieldsOf(`${path}[]`, schema.items)
  return [...own, ...fields, ...named, ...items]
}

/** The rows of what is within, without one for the object: its list or record has it. */
function fieldsOf(path: string, schema: FieldSchema): Row[] {
  return rowsOf(path, schema, true).slice(1)
}

function fallbackOf(schema: FieldSchema, isRequired: boolean): string {
  if (schema.properties !== undefined) return ''
  if ('default' in schema) return `\`${JSON.stringify(schema.default)}\``
  return isRequired ? 'required' : 'none'
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
