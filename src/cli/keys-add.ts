/** `pinwarden keys add`: makes a key, stores its hash, and shows it this once. */
import { addKey } from '../settings/add-key.js'
import { editConfig, EditError } from '../settings/edit.js'
import { digestOf, generateKey } from '../settings/key.js'
import { namePattern, type KeyConfig } from '../settings/schema.js'
import { endpointGiven, endpointOf } from './endpoint.js'
import { expiryOf, timestampOf } from './expiry.js'
import type { Io } from './io.js'
import { hint, UsageError } from './report.js'

export interface KeysAddOptions {
  readonly configPath: string
  readonly encoder: string
  /** When the key expires: a date, a time, or a while from now. */
  readonly expires: string | undefined
  readonly note: string | undefined
  /** Of a new encoder. */
  readonly role: string | undefined
  /** Base URL that the encoder reaches the gate at. */
  readonly endpoint: string | undefined
}

export async function keysAdd(options: KeysAddOptions, io: Io): Promise<number> {
  const { configPath, encoder, role } = options
  if (!new RegExp(namePattern).test(encoder))
    throw new UsageError(
      'this is no name for an encoder',
      '1 to 63 of a-z 0-9 . _ - with a letter or digit first, such as encoder-1',
    )
  const given = options.endpoint === undefined ? undefined : endpointGiven(options.endpoint)
  const now = new Date()
  const secret = generateKey()
  const key = storedKey(secret, options, now)
  const config = await editConfig(configPath, (text) => {
    const added = addKey(text, { encoder, key, role })
    if (role !== undefined && !added.isNewEncoder)
      throw new EditError(`${encoder} exists already, --role is for new encoders`, roleHint)
    return added.text
  })
  const { scheme, authority, doubt } = given ?? endpointOf(config.listen)
  const count = config.encoders[encoder]?.keys.length ?? 0
  io.stdout.write(
    `# Key ${key.id} of encoder ${encoder}, ${count === 1 ? 'its only one' : `one of ${count}`}, ` +
      `${key.expires === undefined ? 'without expiry' : `expires ${key.expires}`}.\n` +
      '# Shown this once: the configuration holds only its hash.\n' +
      `IPFS_CLUSTER_ENDPOINT=${scheme}://${encoder}:${secret}@${authority}\n` +
      '# To try it: curl "$IPFS_CLUSTER_ENDPOINT/id"\n',
  )
  hint(io, doubt)
  return 0
}

const roleHint = 'change its role in the file, or leave --role out to add the key alone'

/** The id is the beginning of the hash: never given twice, and whoever has the key can find it. */
function storedKey(secret: string, { expires, note }: KeysAddOptions, now: Date): KeyConfig {
  const sha256 = digestOf(secret)
  return {
    id: sha256.slice(0, 8),
    sha256,
    created: timestampOf(now),
    ...(expires === undefined ? {} : { expires: expiryOf(expires, now) }),
    ...(note === undefined ? {} : { note }),
  }
}
