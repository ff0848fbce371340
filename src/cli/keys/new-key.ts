/** Makes a key: stores its hash, and shows the key once. */
import { digestOf, generateKey } from '../../settings/keyring/key.js'
import type { Config, KeyConfig } from '../../settings/schema/schema.js'
import { gateUrlGiven, gateUrlOf } from '../gate-url.js'
import { expiryOf, timestampOf } from './expiry.js'
import type { Io } from '../io.js'
import { fail, hint } from '../report.js'

export interface NewKeyOptions {
  readonly encoder: string
  /** When the key expires: a date, a time, or a span from now. */
  readonly expires: string | undefined
  readonly note: string | undefined
  /** Base URL at which the encoder reaches the gate. */
  readonly endpoint: string | undefined
}

export interface NewKey {
  readonly stored: KeyConfig
  /** Prints the key as the encoder's variable, or all of it as JSON. */
  readonly show: (config: Config, io: Io, about: readonly string[], json?: boolean) => void
}

/** @throws UsageError when the options do not make sense, before anything is written */
export function newKey(options: NewKeyOptions, now: Date): NewKey {
  const { encoder, expires, note, endpoint } = options
  const given = endpoint === undefined ? undefined : gateUrlGiven(endpoint)
  const secret = generateKey()
  const sha256 = digestOf(secret)
  const stored = {
    // The beginning of the hash: unique, and the owner of the key can compute it.
    id: sha256.slice(0, 8),
    sha256,
    created: timestampOf(now),
    ...(expires === undefined ? {} : { expires: expiryOf(expires, now) }),
    ...(note === undefined ? {} : { note }),
  }
  return {
    stored,
    show: (config, io, about, json = false) => {
      const { scheme, authority, doubt } = given ?? gateUrlOf(config.listen)
      const url = `${scheme}://${encoder}:${secret}@${authority}`
      hint(io, doubt)
      io.readerLeft?.addEventListener('abort', () => {
        fail(io, `key ${stored.id} of encoder ${encoder} was stored, but not shown`)
        hint(io, `pinwarden keys revoke ${encoder} ${stored.id} removes it; then make another`)
      })
      if (json) {
        const { id: keyId, expires = null } = stored
        const document = { changed: true, encoder, keyId, key: secret, expires, endpoint: url }
        io.stdout.write(`${JSON.stringify(document)}\n`)
        return
      }
      const lines = [
        ...about,
        '# Shown this once: the configuration holds only its hash.',
        `IPFS_CLUSTER_ENDPOINT=${url}`,
        '# To try it: curl "$IPFS_CLUSTER_ENDPOINT/id"',
      ]
      io.stdout.write(lines.map((line) => `${line}\n`).join(''))
    },
  }
}

/** Such as `without expiry`. */
export const expiryText = ({ expires }: KeyConfig): string =>
  expires === undefined ? 'without expiry' : `expires ${expires}`

/** Such as `2 expired keys were cleared`. */
export const clearedText = (count: number): string[] =>
  count === 0
    ? []
    : [`# ${count === 1 ? 'An expired key was' : `${count} expired keys were`} cleared.`]
