/** `pinwarden keys add`: makes a key, stores its hash, and shows it this once. */
import { addKey } from '../../settings/edit/encoder-edits.js'
import { editConfig, EditError } from '../../settings/edit/edit.js'
import { namePattern } from '../../settings/schema/names.js'
import type { Io } from '../io.js'
import { expiryText, newKey, type NewKeyOptions } from './new-key.js'
import { leaseIdFor } from '../known-holder.js'
import { UsageError, warnOfCopy } from '../report.js'

export interface KeysAddOptions extends NewKeyOptions {
  readonly configPath: string
  /** Of a new encoder. */
  readonly role: string | undefined
}

export async function keysAdd(options: KeysAddOptions, io: Io): Promise<number> {
  const { configPath, encoder, role } = options
  if (!new RegExp(namePattern).test(encoder))
    throw new UsageError(
      'this is no name for an encoder',
      '1 to 63 of a-z 0-9 . _ - with a letter or digit first, such as encoder-1',
    )
  const { stored, show } = newKey(options, new Date())
  const leaseId = await leaseIdFor(encoder, configPath, io)
  const change = (text: string): string => {
    const added = addKey(text, { encoder, key: stored, role, leaseId })
    if (role !== undefined && !added.isNewEncoder)
      throw new EditError(`${encoder} exists already, --role is for new encoders`, roleHint)
    return added.text
  }
  const config = await editConfig(configPath, change, warnOfCopy(io))
  const count = config.encoders[encoder]?.keys.length ?? 0
  const place = count === 1 ? 'its only one' : `one of ${count}`
  show(config, io, [`# Key ${stored.id} of encoder ${encoder}, ${place}, ${expiryText(stored)}.`])
  return 0
}

const roleHint = 'change its role in the file, or leave --role out to add the key alone'
