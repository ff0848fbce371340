/** Ajv's check of a configuration as code; deploy/build/compile-schema.ts makes it. */
import type { ValidateFunction } from 'ajv'
import type { Config } from './schema.js'

/** Fills in the defaults; what is wrong is in its `errors`. */
export declare const matches: ValidateFunction<Config>
