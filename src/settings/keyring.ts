/** Finds the encoder that a presented key belongs to. */
import type { Encoder } from './snapshot.js'

/** One live key of an encoder. */
export interface KeyEntry {
  readonly encoder: Encoder
  /** The key's id, never its secret. */
  readonly id: string
  /** Unix time in milliseconds from which on it is refused; Infinity: never. */
  readonly expiresAtMs: number
}

/** Why no entry was found: for the log only, a client is told the same in every case. */
export type KeyFault = 'key-malformed' | 'key-mistyped' | 'key-unknown'

export interface Keyring {
  /** How many encoders there are. */
  readonly encoderCount: number
  /** The entry of a presented key. Expiry, `enabled` and `from` are the caller's to check. */
  find(presented: string): KeyEntry | KeyFault
  hasEncoder(name: string): boolean
}
