/** Makes of the configuration's schema plain JSON and, by Ajv, the code that checks a file. */
import { _, Ajv } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { transformSync } from 'esbuild'
import { formats } from '../../src/settings/schema/formats.js'

export interface CompiledSchema {
  /** Text of `compiled-schema.js`. */
  readonly schema: string
  /** Text of `compiled-validator.js`. */
  readonly validator: string
}

/** @throws when Ajv does not know a keyword of it */
export function compileSchema(schema: object): CompiledSchema {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    verbose: true,
    strict: true,
    ownProperties: true,
    keywords: ['expects', 'sensitive', 'shorthand'],
    formats,
    code: { source: true, esm: true, formats: _`formats` },
  })
  return {
    schema: `export const compiledSchema = ${JSON.stringify(schema)}\n`,
    validator: asModule(standalone.default(ajv, ajv.compile(schema))),
  }
}

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
