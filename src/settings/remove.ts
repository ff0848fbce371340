/** Takes a key, or an encoder with all of its keys, out of the text of a configuration. */
import { applyEdits, modify } from 'jsonc-parser'
import { configFrom } from './load.js'

/**
 * The rest of the text stays as it is, but for the comma and the line that the key stood on.
 *
 * @returns undefined when the encoder has no such key
 */
export function removeKey(text: string, encoder: string, id: string): string | undefined {
  const keys = configFrom(text).encoders[encoder]?.keys ?? []
  const index = keys.findIndex((key) => key.id === id)
  if (index < 0) return undefined
  return without(text, ['encoders', encoder, 'keys', index])
}

/** The same for an encoder; undefined when there is none of this name. */
export function removeEncoder(text: string, encoder: string): string | undefined {
  if (!Object.hasOwn(configFrom(text).encoders, encoder)) return undefined
  return without(text, ['encoders', encoder])
}

const without = (text: string, path: (string | number)[]): string =>
  applyEdits(text, modify(text, path, undefined, {}))
