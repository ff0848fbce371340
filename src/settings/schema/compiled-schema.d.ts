/** The configuration's schema as plain JSON; deploy/build/compile-schema.ts makes it. */
import type { FieldSchema } from './field-schema.js'

export declare const compiledSchema: FieldSchema & Required<Pick<FieldSchema, 'properties'>>
