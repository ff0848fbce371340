/** Finds the encoder that a presented key belongs to. */
import { timingSafeEqual } from 'node:crypto'
import { inSlices, type SlicedWork } from '../../time/slices.js'
import { digestOf } from './key.js'
import { keyForm } from './key-form.js'
import { encodersOf } from './resolve.js'
import type { Config } from '../schema/schema.js'
import type { Encoder } from './encoder.js'

/** One live key of an encoder. */
export interface KeyEntry {
  readonly encoder: Encoder
  /** The key's id, never its secret. */
  readonly id: string
  /** Unix time in milliseconds at which it expires; Infinity: never. */
  readonly expiresAtMs: number
}

/** Why no entry was found, for the log only: a client gets the same answer in every case. */
export type KeyFault = 'key-malformed' | 'key-mistyped' | 'key-unknown'

export interface Keyring {
  /** How many encoders there are. */
  readonly encoderCount: number
  /** The entry of a presented key. The caller checks expiry, `enabled` and `from`. */
  find(presented: string): KeyEntry | KeyFault
  encoder(name: string): Encoder | undefined
  /** The encoder with this leaseId. */
  encoderOf(leaseId: string): Encoder | undefined
}

/**
 * One hash and one lookup however many encoders there are.
 *
 * The lookup is not constant in time, and need not be: what it compares are SHA-256 digests of what
 * was presented. A client that learned from the time how far a digest agrees with a stored one
 * could not choose the next digest by it, and the digest of a 256-bit random key leads nowhere. The
 * final comparison is nevertheless constant in time.
 */
export function* buildKeyring(config: Config): SlicedWork<Keyring> {
  const encoders = yield* encodersOf(config)
  const entries = new Map<string, KeyEntry & { readonly digest: Buffer }>()
  const byLeaseId = new Map<string, Encoder>()
  yield* inSlices([...encoders], ([name, encoder]) => {
    byLeaseId.set(encoder.leaseId, encoder)
    for (const { id, sha256, expires } of config.encoders[name]?.keys ?? []) {
      const expiresAtMs = expires === undefined ? Infinity : Date.parse(expires)
      const digest = Buffer.from(sha256, 'latin1')
      entries.set(sha256, Object.freeze({ encoder, id, expiresAtMs, digest }))
    }
  })
  return {
    encoderCount: encoders.size,
    encoder: (name) => encoders.get(name),
    encoderOf: (leaseId) => byLeaseId.get(leaseId),
    find(presented) {
      const form = keyForm(presented)
      if (form !== 'well-formed') return `key-${form}`
      const digest = digestOf(presented)
      const known = entries.get(digest)
      if (known === undefined) return 'key-unknown'
      return timingSafeEqual(known.digest, Buffer.from(digest, 'latin1')) ? known : 'key-unknown'
    },
  }
}
