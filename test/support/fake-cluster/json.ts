/** Encodes JSON as Go does: maps sorted by key, `<`, `>` and `&` escaped, a LF at the end. */

export type Json =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Json[]
  | ReadonlyMap<string, Json>
  | { readonly [field: string]: Json | undefined }

/** Objects keep the order of their fields and lose the undefined ones; maps are sorted. */
export function jsonLine(value: Json): string {
  return `${encode(value)}\n`
}

function encode(value: Json): string {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value !== 'object') return String(value)
  if (isList(value)) return `[${value.map(encode).join(',')}]`
  const fields = isMap(value) ? sorted(value) : Object.entries(value)
  const parts: string[] = []
  for (const [name, field] of fields) {
    if (field !== undefined) parts.push(`${quoted(name)}:${encode(field)}`)
  }
  return `{${parts.join(',')}}`
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
const isMap = (value: Json): value is ReadonlyMap<string, Json> => value instanceof Map

/** By bytes, as Go compares strings. */
function sorted(map: ReadonlyMap<string, Json>): [string, Json][] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
