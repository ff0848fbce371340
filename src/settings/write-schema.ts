/**
 * A step of the build: writes the schema as plain JSON for the daemon, which so starts 0.1 s sooner
 * and does without the 15 MB that TypeBox takes to say it.
 */
import { writeFileSync } from 'node:fs'
import { configSchema } from './schema.js'

writeFileSync(
  new URL('compiled-schema.js', import.meta.url),
  `export const compiledSchema = ${JSON.stringify(configSchema)}\n`,
)
