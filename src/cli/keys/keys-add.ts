/** `pinwarden keys add`: makes a key, stores its hash, and shows it this once. */
import { addKey, clearExpired } from '../../settings/edit/encoder-edits.js'
import { editConfig, EditError } from '../../settings/edit/edit.js'
import { namePattern } from '../../settings/schema/names.js'
import type { Config } from '../../settings/schema/schema.js'
import { editsBetween } from '../../text/edits-between.js'
import type { JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { clearedText, expiryText, newKey, type NewKeyOptions } from './new-key.js'
import { leaseIdFor } from '../known-holder.js'
import { UsageError, warnOfCopy } from '../report.js'

export interface KeysAddOptions extends NewKeyOptions, JsonCalled {
  /** Role of a new encoder. */
  readonly role: string | undefined
  /** Accepts the name although another encoder has nearly the same. */
  readonly isNew: boolean
  /** Makes no key when the encoder has a live one, of that note if there is one. */
  readonly ifMissing: boolean
}

export async function keysAdd(options: KeysAddOptions, io: Io): Promise<number> {
  const { configPath, encoder, role, json, ifMissing } = options
  if (!new RegExp(namePattern).test(encoder))
    throw new UsageError(
      'this is not a valid name for an encoder',
      '1 to 63 of a-z 0-9 . _ - beginning with a letter or digit, such as encoder-1',
    )
  const now = new Date()
  const { stored, show } = newKey(options, now)
  const leaseId = await leaseIdFor(encoder, configPath, io)
  let [cleared, isNewEncoder] = [0, false]
  const change = (text: string, before: Config): string => {
    refuseTypo(before, options)
    if (ifMissing) {
      const keyId = liveKeyOf(before, options, now.getTime())
      if (keyId !== undefined) throw new KeyThere(keyId)
    }
    const { text: left, count } = clearExpired(text, encoder, now.getTime())
    const added = addKey(left, { encoder, key: stored, role, leaseId })
    if (role !== undefined && !added.isNewEncoder)
      throw new EditError(`${encoder} already exists, and --role is for new encoders`, roleHint)
    ;[cleared, isNewEncoder] = [count, added.isNewEncoder]
    return added.text
  }
  try {
    const config = await editConfig(configPath, change, warnOfCopy(io))
    const { keys = [], role: granted = '' } = config.encoders[encoder] ?? {}
    if (isNewEncoder) io.stderr.write(`new encoder ${encoder}, with the role ${granted}\n`)
    const place = keys.length === 1 ? 'its only one' : `one of ${keys.length}`
    const about = `# Key ${stored.id} of encoder ${encoder}, ${place}, ${expiryText(stored)}.`
    show(config, io, [about, ...clearedText(cleared)], json)
  } catch (error) {
    if (!(error instanceof KeyThere)) throw error
    const { keyId } = error
    const document = { changed: false, encoder, keyId }
    const words = `encoder ${encoder} has a live key, ${keyId}: nothing was changed`
    io.stdout.write(`${json ? JSON.stringify(document) : words}\n`)
  }
  return 0
}

/** The key already exists. */
class KeyThere extends Error {
  constructor(readonly keyId: string) {
    super('a key is there')
  }
}

/** @returns the id of one that has not expired; a disabled encoder stays that by its own switch */
function liveKeyOf(
  { encoders }: Config,
  { encoder, note }: KeysAddOptions,
  now: number,
): string | undefined {
  const keys = encoders[encoder]?.keys ?? []
  const isWanted = (key: (typeof keys)[number]): boolean =>
    (note === undefined || key.note === note) &&
    (key.expires === undefined || Date.parse(key.expires) > now)
  return keys.find(isWanted)?.id
}

/** Names that differ only in numbers are not typos: encoder-1, encoder-2. */
function refuseTypo({ encoders }: Config, { encoder, isNew }: KeysAddOptions): void {
  if (isNew || Object.hasOwn(encoders, encoder)) return
  const letters = (name: string): string => name.replaceAll(/\d+/g, '0')
  // Short names are always similar.
  const most = encoder.length < 8 ? 1 : 2
  const [near] = Object.keys(encoders)
    .filter((name) => letters(name) !== letters(encoder) && editsBetween(name, encoder) <= most)
    .sort((one, other) => editsBetween(one, encoder) - editsBetween(other, encoder))
  if (near === undefined || Math.min(near.length, encoder.length) < 4) return
  throw new UsageError(
    `there is no encoder ${encoder}; did you mean ${near}?`,
    `pinwarden keys add ${encoder} --new creates the encoder`,
  )
}

const roleHint = 'change its role in the file, or omit --role to add only a key'
