/** Makes of the configuration's schema plain JSON and, by Ajv, the code that checks a file. */
import { _, Ajv, type KeywordDefinition } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { transformSync } from 'esbuild'
import { annotationFaults } from './annotation-faults.js'
import type { Annotations } from '../../src/settings/schema/field-schema.js'
import { formats } from '../../src/settings/schema/formats.js'

export interface CompiledSchema {
  /** Text of `compiled-schema.js`. */
  readonly schema: string
  /** Text of `compiled-validator.js`. */
  readonly validator: string
}

/** @throws when a keyword of it is unknown or misplaced, and when a field lacks an annotation */
export function compileSchema(schema: object): CompiledSchema {
  const faults = annotationFaults(schema)
  if (faults.length > 0) throw new Error(`the schema is incomplete:\n${faults.join('\n')}`)
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    strict: true,
    ownProperties: true,
    keywords,
    formats,
    code: { source: true, esm: true, formats: _`formats` },
  })
  return {
    schema: `export const compiledSchema = ${JSON.stringify(schema)}\n`,
    validator: asModule(standalone.default(ajv, ajv.compile(schema))),
  }
}

/** Ajv refuses any other keyword, and these with another value or without those they depend on. */
const keywordsOf: Readonly<Record<keyof Annotations, Omit<KeywordDefinition, 'keyword'>>> = {
  expects: { schemaType: 'string' },
  path: {
    type: 'string',
    metaSchema: { enum: ['file', 'directory', 'socket'] },
    // An operator may paste a secret where the name of its file belongs.
    dependencies: ['secret'],
  },
  restart: { schemaType: 'boolean' },
  secret: { type: 'string', metaSchema: { const: true } },
  shorthand: { type: 'object', schemaType: 'string' },
  watch: { type: 'string', metaSchema: { const: true }, dependencies: ['path'] },
}

const keywords = Object.entries(keywordsOf).map(([keyword, definition]) => ({
  keyword,
  ...definition,
}))

/** Ajv writes `require` for its helpers, also into modules of ES (ajv-validator/ajv#2209). */
function asModule(code: string): string {
  const imports = ["import { formats } from './formats.js'"]
  const body = code.replaceAll(/require\("([^"]+)"\)/g, (_call, path: string) => {
    const name = `helper${imports.length}`
    imports.push(`import ${name} from '${path}.js'`)
    return name
  })
  const module = `${imports.join('\n')}\n${body}\nexport { validate as matches }\n`
  // The text stays in memory: in ASCII it takes half, and without its spaces less again.
  return transformSync(module, { format: 'esm', minify: true }).code
}
