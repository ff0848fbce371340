/** The configuration's schema as plain JSON; write-schema.ts makes it, in the build. */
export declare const compiledSchema: {
  readonly properties: Readonly<Record<string, object>>
}
