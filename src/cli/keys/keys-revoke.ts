/** `pinwarden keys revoke`: removes a key of an encoder, for good. */
import { editConfig, EditError } from '../../settings/edit/edit.js'
import { removeKey } from '../../settings/edit/encoder-edits.js'
import type { Io } from '../io.js'
import { warn, warnOfCopy } from '../report.js'

export interface KeysRevokeOptions {
  readonly configPath: string
  readonly encoder: string
  readonly id: string
}

/** A daemon that serves this file refuses the key from its next look at it, a second later. */
export async function keysRevoke(options: KeysRevokeOptions, io: Io): Promise<number> {
  const { configPath, encoder, id } = options
  const change = (text: string): string => {
    const changed = removeKey(text, encoder, id)
    if (changed === undefined) {
      throw new EditError(`${encoder} has no key ${id}`, 'pinwarden keys list shows what there is')
    }
    return changed
  }
  const config = await editConfig(configPath, change, warnOfCopy(io))
  const left = config.encoders[encoder]?.keys.length ?? 0
  io.stdout.write(`revoked key ${id} of encoder ${encoder}; ${left} left\n`)
  if (left === 0) warn(io, `encoder ${encoder} has no key left: every request of it is refused`)
  return 0
}
