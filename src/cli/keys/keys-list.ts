/** `pinwarden keys list`: the keys, without secrets and hashes. */
import { loadConfig } from '../../settings/load.js'
import type { EncoderConfig } from '../../settings/schema/schema.js'
import type { JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { lastUseHint, type LastUses, lastUses, lastUseText } from './last-use.js'
import { CommandError, hint } from '../report.js'
import { table } from '../text-table.js'

export interface KeysListOptions extends JsonCalled {
  /** All encoders when absent. */
  readonly encoder: string | undefined
}

interface Row {
  readonly encoder: string
  readonly id: string
  readonly state: KeyState
  readonly created: string | null
  readonly expires: string | null
  readonly lastUsed: string | null
  readonly note: string | null
}

export type KeyState = 'live' | 'expired' | 'disabled'

export function keyState(
  { enabled }: EncoderConfig,
  { expires }: EncoderConfig['keys'][number],
  now: number,
): KeyState {
  if (!enabled) return 'disabled'
  return expires !== undefined && Date.parse(expires) <= now ? 'expired' : 'live'
}

export async function keysList({ configPath, encoder, json }: KeysListOptions, io: Io) {
  const config = await loadConfig(configPath)
  if (encoder !== undefined && !Object.hasOwn(config.encoders, encoder))
    throw new CommandError(`there is no encoder ${encoder}`, 'pinwarden encoders list shows them')
  const uses = await lastUses(config)
  const rows = Object.entries(config.encoders)
    .filter(([name]) => encoder === undefined || name === encoder)
    .flatMap(([name, fields]) => rowsOf(name, fields, uses))
  io.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : table(header, cellsOf(rows, uses)))
  hint(io, lastUseHint(uses))
  return 0
}

function rowsOf(encoder: string, fields: EncoderConfig, uses: LastUses): Row[] {
  const now = Date.now()
  return fields.keys.map((key) => {
    const { id, created = null, expires = null, note = null } = key
    const lastUsed = uses.of(encoder, id)
    return { encoder, id, state: keyState(fields, key, now), created, expires, lastUsed, note }
  })
}

const header = ['ENCODER', 'ID', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED', 'NOTE']

const cellsOf = (rows: readonly Row[], uses: LastUses): string[][] =>
  rows.map(({ encoder, id, state, created, expires, lastUsed, note }) => [
    encoder,
    id,
    state,
    created ?? '-',
    expires ?? 'never',
    lastUseText(uses, lastUsed),
    note ?? '',
  ])
