/** The published JSON Schema of the configuration file, for editors and other validators. */
import { compiledSchema } from './compiled-schema.js'
import { annotations, type FieldSchema } from './field-schema.js'

export function publishedSchema(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...published(compiledSchema),
  }
  return `${JSON.stringify(schema, null, 2)}\n`
}

/**
 * Without the project's annotations and formats, which a strict validator would refuse, and without
 * `required` for fields with a default, which a file may leave out.
 */
function published(schema: FieldSchema): object {
  const { shorthand, properties = {} } = schema
  const kept = Object.entries(schema).flatMap(([keyword, value]: [string, unknown]) => {
    if (Object.hasOwn(annotations, keyword)) return []
    switch (keyword) {
      case 'format':
        return value === 'date-time' ? [[keyword, value]] : []
      case 'items':
        return [[keyword, published(value as FieldSchema)]]
      case 'properties':
      case 'patternProperties':
        return [[keyword, publishedFields(value as Fields)]]
      case 'required': {
        const required = (value as string[]).filter((field) => !hasDefault(properties[field]))
        return required.length === 0 ? [] : [[keyword, required]]
      }
      default:
        return [[keyword, value]]
    }
  })
  const section = Object.fromEntries(kept) as Record<string, unknown>
  if (shorthand === undefined) return section
  const { default: fallback, description, ...rest } = section
  return { default: fallback, description, anyOf: [{ const: shorthand }, rest] }
}

type Fields = Readonly<Record<string, FieldSchema>>

/** Handled separately, as a field may have the name of an annotation. */
const publishedFields = (fields: Fields): Record<string, object> =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, published(field)]))

function hasDefault(field: FieldSchema | undefined): boolean {
  return field !== undefined && 'default' in field
}
