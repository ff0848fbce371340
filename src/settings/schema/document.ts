/** The published JSON Schema of the configuration file, for editors and other validators. */
import { compiledSchema } from './compiled-schema.js'

export function publishedSchema(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...(published(compiledSchema) as object),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/**
 * Without our own annotations and formats, which a strict validator would refuse, and without
 * `required` where there is a default: to us such a field is there, to an editor it may be absent.
 */
function published(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(published)
  if (typeof schema !== 'object' || schema === null) return schema
  const { properties } = schema as { properties?: Readonly<Record<string, object>> }
  const kept = Object.entries(schema).flatMap(([keyword, value]: [string, unknown]) => {
    if (['expects', 'sensitive', 'shorthand'].includes(keyword)) return []
    if (keyword === 'format' && value !== 'date-time') return []
    if (keyword !== 'required' || properties === undefined) return [[keyword, published(value)]]
    const required = (value as string[]).filter((field) => !hasDefault(properties[field]))
    return required.length === 0 ? [] : [[keyword, required]]
  })
  const section = Object.fromEntries(kept) as Record<string, unknown>
  const { shorthand } = schema as { shorthand?: string }
  if (shorthand === undefined) return section
  const { default: fallback, description, ...rest } = section
  return { default: fallback, description, anyOf: [{ const: shorthand }, rest] }
}

function hasDefault(field: object | undefined): boolean {
  return field !== undefined && 'default' in field
}
