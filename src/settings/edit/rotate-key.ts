/** Puts a new key beside an old one, whose last day is set, in the text of a configuration. */
import { addKey } from './add-key.js'
import type { KeyConfig } from '../schema/schema.js'
import { configFrom } from '../load.js'
import { setField } from './set-field.js'

export interface KeyRotation {
  readonly encoder: string
  /** Id of the old key. */
  readonly old: string
  /** Until when the old key is good, if it does not expire sooner anyway (UTC). */
  readonly until: string
  readonly key: KeyConfig
}

export function rotateKey(text: string, { encoder, old, until, key }: KeyRotation): string {
  const index = configFrom(text).encoders[encoder]?.keys.findIndex(({ id }) => id === old) ?? -1
  if (index < 0) throw new RangeError(`encoder ${encoder} has no key ${old}`)
  const limited = setField(text, ['encoders', encoder, 'keys', index], 'expires', until)
  return addKey(limited, { encoder, key, role: undefined }).text
}
