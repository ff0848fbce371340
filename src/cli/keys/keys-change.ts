/**
 * `pinwarden keys rotate`: makes a new key, and lets the old one live on for a grace.
 * `pinwarden keys revoke`: removes a key of an encoder, for good.
 */
import { editConfig, EditError } from '../../settings/edit/edit.js'
import { clearExpired, encoderIn, removeKey, rotateKey } from '../../settings/edit/encoder-edits.js'
import type { KeyConfig } from '../../settings/schema/schema.js'
import { graceEnd, timestampOf } from './expiry.js'
import type { JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { clearedText, expiryText, newKey, type NewKeyOptions } from './new-key.js'
import { warn, warnOfCopy } from '../report.js'

export interface KeysRotateOptions extends NewKeyOptions, JsonCalled {
  /** Id of the old key; undefined: the only live one. */
  readonly id: string | undefined
  /** How long the old key stays valid, such as `7d`; `0`: not at all. */
  readonly grace: string
}

export async function keysRotate(options: KeysRotateOptions, io: Io): Promise<number> {
  const { configPath, encoder, grace } = options
  const now = new Date()
  const end = graceEnd(grace, now)
  const { stored, show } = newKey(options, now)
  let old: KeyConfig | undefined
  let until = timestampOf(end)
  let cleared = 0
  const change = (text: string): string => {
    old = oldKey(encoderIn(text, encoder).keys, options, now)
    const note = options.note ?? old.note
    if (old.expires !== undefined && Date.parse(old.expires) < end.getTime()) until = old.expires
    // A key that was made in this second.
    if (until === old.created) until = timestampOf(new Date(Date.parse(until) + 1000))
    const key = note === undefined ? stored : { ...stored, note }
    const left = clearExpired(text, encoder, now.getTime())
    cleared = left.count
    return rotateKey(left.text, { encoder, old: old.id, until, key })
  }
  const config = await editConfig(configPath, change, warnOfCopy(io))
  const about = [
    `# Key ${stored.id} of encoder ${encoder}, in place of ${old?.id ?? ''}, ` +
      `${expiryText(stored)}.`,
    `# The old one is valid until ${until}: switch to the new one before.`,
    ...clearedText(cleared),
  ]
  show(config, io, about, options.json)
  return 0
}

function oldKey(
  keys: readonly KeyConfig[],
  { encoder, id }: KeysRotateOptions,
  now: Date,
): KeyConfig {
  const wanted = keys.filter((key) => key.id === id)
  const live = keys.filter(({ expires }) => expires === undefined || Date.parse(expires) > +now)
  const [only, ...others] = id === undefined ? live : wanted
  if (only === undefined) {
    const what = id === undefined ? 'live key' : `key ${id}`
    throw new EditError(`${encoder} has no ${what}`, `pinwarden keys add ${encoder} makes one`)
  }
  if (others.length > 0) {
    const ids = live.map((key) => key.id).join(', ')
    throw new EditError(`${encoder} has ${live.length} live keys`, `name the old one: ${ids}`)
  }
  return only
}

export interface KeysRevokeOptions {
  readonly configPath: string
  readonly encoder: string
  readonly id: string
}

/** The running daemon refuses the key within a second. */
export async function keysRevoke(options: KeysRevokeOptions, io: Io): Promise<number> {
  const { configPath, encoder, id } = options
  const change = (text: string): string => {
    encoderIn(text, encoder)
    const changed = removeKey(text, encoder, id)
    if (changed === undefined) {
      throw new EditError(`${encoder} has no key ${id}`, 'pinwarden keys list shows the keys')
    }
    return changed
  }
  const config = await editConfig(configPath, change, warnOfCopy(io))
  const left = config.encoders[encoder]?.keys.length ?? 0
  io.stdout.write(`revoked key ${id} of encoder ${encoder}; ${left} left\n`)
  if (left === 0) warn(io, `encoder ${encoder} has no key left: all its requests are refused`)
  return 0
}
