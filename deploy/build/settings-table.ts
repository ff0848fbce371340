/** The settings as docs/configuration.md has them: a table for each section, from the schema. */
import { compiledSchema } from '../../src/settings/schema/compiled-schema.js'
import type { FieldSchema } from '../../src/settings/schema/field-schema.js'

/** In markdown; the first table has the fields that are not in any section. */
export function settingsTables(): string {
  const sections = Object.entries<FieldSchema>(compiledSchema.properties)
  const [inside, outside] = [
    sections.filter(hasFields),
    sections.filter((each) => !hasFields(each)),
  ]
  const top = { ...compiledSchema, properties: Object.fromEntries(outside) }
  return [
    `### Top level\n\n${tableOf(rowsOf('', top, false, true))}`,
    ...inside.map(([name, section]) => {
      const { description = '', restart = false } = section
      const rows = rowsOf(name, section, restart, false)
      return `### \`${name}\`\n\n${description}\n\n${tableOf(rows)}`
    }),
  ].join('\n')
}

const hasFields = ([, field]: readonly [string, FieldSchema]): boolean => {
  const { properties, patternProperties = {}, items } = field
  const entries = [...Object.values(patternProperties), ...(items === undefined ? [] : [items])]
  return properties !== undefined || entries.some((entry) => entry.properties !== undefined)
}

type Row = readonly [field: string, type: string, fallback: string, effect: string, text: string]

const head: Row = ['Field', 'Type', 'Default', 'Takes effect', 'Meaning']

const tableOf = (rows: readonly Row[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('')

/** Of the fields within; a section has a row before its fields. Overrides have the row alone. */
function rowsOf(path: string, schema: FieldSchema, restart: boolean, isTop: boolean): Row[] {
  const { properties = {}, patternProperties = {}, items } = schema
  const rows = Object.entries(properties).flatMap(([name, field]) => {
    const at = path === '' ? name : `${path}.${name}`
    const waits = field.restart ?? restart
    const isRequired = schema.required?.includes(name) === true
    const isOverride = field.description?.startsWith('Overrides of ') === true
    return [
      rowOf(at, field, waits, isRequired),
      ...(isOverride ? [] : rowsOf(at, field, waits, false)),
    ]
  })
  const entries = Object.values(patternProperties).flatMap((entry) =>
    rowsOf(`${path}.NAME`, entry, restart, false),
  )
  const listed = items === undefined || isTop ? [] : rowsOf(`${path}[]`, items, restart, false)
  return [...rows, ...entries, ...listed]
}

function rowOf(path: string, field: FieldSchema, restart: boolean, isRequired: boolean): Row {
  const isSection = field.properties !== undefined
  return [
    `\`${path}\``,
    isSection ? 'section' : typeOf(path, field),
    isSection ? '' : fallbackOf(field, isRequired),
    restart ? 'restart' : 'at once',
    field.description ?? '',
  ]
}

function fallbackOf(field: FieldSchema, isRequired: boolean): string {
  if ('default' in field) return `\`${JSON.stringify(field.default)}\``
  return isRequired ? 'required' : 'none'
}

/** By the end of a field's name. */
const units: Readonly<Record<string, string>> = {
  Ms: 'ms',
  Seconds: 's',
  Days: 'days',
  BytesMax: 'bytes',
}

function typeOf(path: string, { type, minimum, maximum, maxItems, ...field }: FieldSchema): string {
  const choices = field.enum ?? field.items?.enum
  if (choices !== undefined) {
    const words = choices.map((word) => `\`${word}\``).join(', ')
    return field.enum === undefined ? `any of ${words}` : `one of ${words}`
  }
  const unit = Object.entries(units).find(([ending]) => path.endsWith(ending))?.[1]
  const range = minimum !== undefined && maximum !== undefined && `${minimum} to ${maximum}`
  const most = maxItems !== undefined && maxItems > 1 && `at most ${maxItems}`
  const kind = type === 'array' ? 'list' : type === 'object' ? 'by name' : type
  return [kind, unit, range, most].filter(Boolean).join(', ')
}
