/** Keywords of a field's schema: those of JSON Schema, and the project's annotations. */

/**
 * Each annotation has one effect, the same for every field. The published schema omits them.
 * deploy/build/compile-schema.ts lists their values, and fails the build at any other.
 */
export interface Annotations {
  /** Describes in words what a pattern or a format accepts. */
  readonly expects?: string
  /** The kind of path. Relative paths start at the directory of the configuration. */
  readonly path?: 'file' | 'directory' | 'socket'
  /**
   * Whether a new value waits for a restart; else a reload applies it. A field without the
   * annotation takes that of its section; the build fails if both lack it.
   */
  readonly restart?: boolean
  /** No message may show the value. */
  readonly secret?: true
  /** The meaning of an absent section. */
  readonly shorthand?: string
  /** The gate reads the file with the settings, and reloads when its content changes. */
  readonly watch?: true
}

export const annotations: Readonly<Record<keyof Annotations, true>> = {
  expects: true,
  path: true,
  restart: true,
  secret: true,
  shorthand: true,
  watch: true,
}

export interface FieldSchema extends Annotations {
  readonly type?: string
  readonly description?: string
  /** Works for one release more; no message and no example proposes it. */
  readonly deprecated?: boolean
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly items?: FieldSchema
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly patternProperties?: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly uniqueItems?: boolean
}
