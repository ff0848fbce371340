/** What the schema says of a field: keywords of JSON Schema, and annotations of our own. */

/**
 * Each drives one thing, for whatever field it stands at. The published schema goes without them.
 * deploy/build/compile-schema.ts says which values they take, and ends the build at any other.
 */
export interface Annotations {
  /** In words what a pattern or a format wants. */
  readonly expects?: string
  /** What it is the path of. A relative one starts at the directory of the configuration. */
  readonly path?: 'file' | 'directory' | 'socket'
  /**
   * Whether a new value waits for a restart; else a reload puts it into force. A field without
   * it takes that of its section; the build ends if none of the two says it.
   */
  readonly restart?: boolean
  /** That no message may show what stands there. */
  readonly secret?: true
  /** A word for the empty section. */
  readonly shorthand?: string
  /** That the file is read with the settings: another content of it is a reason to reload. */
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
  /** It works for one release more: no message, and no example, proposes it. */
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
