/** Ajv's check of a configuration as code; write-schema.ts makes it, in the build. */
import type { ValidateFunction } from 'ajv'
import type { Config } from './schema.js'

/** Fills in the defaults; what is wrong is in its `errors`. */
export declare const matches: ValidateFunction<Config>
