/** The configuration's schema as plain JSON; the build makes it, by deploy/build. */
export declare const compiledSchema: {
  readonly properties: Readonly<Record<string, object>>
}
