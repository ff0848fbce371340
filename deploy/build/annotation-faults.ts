/** Finds what the annotations of the configuration's schema leave open, or say in vain. */
import type { FieldSchema } from '../../src/settings/schema/field-schema.js'

/** One sentence a fault. Without any, each field says how a reload takes it. */
export function annotationFaults(schema: FieldSchema): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => faultsOf(field, name))
}

function faultsOf(
  schema: FieldSchema,
  path: string,
  inherited?: boolean,
  isEntry = false,
): readonly string[] {
  const { restart = inherited, properties, patternProperties = {}, items, watch } = schema
  const faults = []
  if (restart === undefined && properties === undefined)
    faults.push(`${path} needs "restart", true or false, of its own or of its section`)
  if (isEntry && schema.restart !== undefined)
    faults.push(`${path} must not have "restart": a list or a record is compared as a whole`)
  if (watch === true && schema.path !== 'file')
    faults.push(`${path} must not have "watch": it is not the path of a file`)
  if (schema.type === 'string' && schema.path === undefined && namesPath.test(path))
    faults.push(`${path} needs "path", or a name that is not that of a path`)
  if (schema.type === 'string' && schema.secret !== true && namesSecret.test(path))
    faults.push(`${path} needs "secret", or a name that is not that of a secret`)
  // The docs say that every reload reads such files, which an operator recognizes by the name.
  if (schema.path === 'file' && (watch === true) !== path.endsWith('File'))
    faults.push(`${path} needs "watch" and a name in …File, or neither`)
  const entries = [...Object.values(patternProperties), ...(items === undefined ? [] : [items])]
  return [
    ...faults,
    ...Object.entries(properties ?? {}).flatMap(([name, field]) =>
      faultsOf(field, `${path}.${name}`, restart, isEntry),
    ),
    // The fault of the list would only be repeated.
    ...entries.flatMap((entry) => faultsOf(entry, `${path}[]`, restart ?? false, true)),
  ]
}

const namesPath = /(?:file|directory|socket)$/i
const namesSecret = /(?:password|passphrase|secret|token|credential|sha256|url)$/i
