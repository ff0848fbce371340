/** `pinwarden encoders enable`, `disable` and `remove`. */
import { editConfig } from '../../settings/edit/edit.js'
import { encoderIn, removeEncoder, setField } from '../../settings/edit/encoder-edits.js'
import type { Io } from '../io.js'
import { warnOfCopy } from '../report.js'

export type EncoderChange = 'enable' | 'disable' | 'remove'

export interface EncoderChangeOptions {
  readonly configPath: string
  readonly encoder: string
}

/** The running daemon notices the change within a second. */
export const encoderChange =
  (change: EncoderChange) =>
  (options: EncoderChangeOptions, io: Io): Promise<number> =>
    changeEncoder(change, options, io)

async function changeEncoder(
  change: EncoderChange,
  { configPath, encoder }: EncoderChangeOptions,
  io: Io,
): Promise<number> {
  let keys = 0
  const edit = (text: string): string => {
    const { keys: all, enabled } = encoderIn(text, encoder)
    keys = all.length
    if (change !== 'remove' && enabled === (change === 'enable')) throw new AsWanted()
    return changed(text, change, encoder)
  }
  try {
    await editConfig(configPath, edit, warnOfCopy(io))
  } catch (error) {
    if (!(error instanceof AsWanted)) throw error
    io.stdout.write(`encoder ${encoder} is already ${done[change]}: nothing was changed\n`)
    return 0
  }
  io.stdout.write(`${done[change]} encoder ${encoder}${aside(change, keys)}\n`)
  return 0
}

/** The file already has this state. */
class AsWanted extends Error {}

function changed(text: string, change: EncoderChange, encoder: string): string {
  if (change === 'remove') return removeEncoder(text, encoder)
  return setField(text, ['encoders', encoder], 'enabled', change === 'enable')
}

const done = { enable: 'enabled', disable: 'disabled', remove: 'removed' } as const

function aside(change: EncoderChange, keys: number): string {
  const all = keys === 1 ? 'its key' : `its ${keys} keys`
  if (change === 'remove') return ` with ${all}`
  return change === 'disable' ? `: ${all} refused until it is enabled again` : ''
}
