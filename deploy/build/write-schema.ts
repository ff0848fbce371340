/**
 * A step of the build: writes the schema as plain JSON, and what Ajv makes of it as code. So the
 * daemon starts 0.2 s sooner, and does without the 15 MB that TypeBox takes to say it.
 */
import { writeFileSync } from 'node:fs'
import { configSchema } from '../../src/settings/schema/schema.js'
import { compileSchema } from './compile-schema.js'

const folder = new URL('../../src/settings/schema/', import.meta.url)
const { schema, validator } = compileSchema(configSchema)

writeFileSync(new URL('compiled-schema.js', folder), schema)
writeFileSync(new URL('compiled-validator.js', folder), validator)
