/** `pinwarden encoders list`: the encoders with their permissions and last requests. */
import { loadConfig } from '../../settings/load.js'
import type { Config, EncoderConfig } from '../../settings/schema/schema.js'
import type { JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { keyState } from '../keys/keys-list.js'
import { lastUseHint, type LastUses, lastUses, lastUseText } from '../keys/last-use.js'
import { hint } from '../report.js'
import { table } from '../text-table.js'

interface Row {
  readonly name: string
  readonly enabled: boolean
  readonly role: string
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  readonly options: readonly string[]
  readonly from: readonly string[]
  readonly keys: number
  /** Number of keys that work now. */
  readonly liveKeys: number
  /** Last use of any of its keys. */
  readonly lastUsed: string | null
}

export async function encodersList({ configPath, json }: JsonCalled, io: Io) {
  const config = await loadConfig(configPath)
  const uses = await lastUses(config)
  const rows = rowsOf(config, uses)
  io.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : table(header, cellsOf(rows, uses)))
  hint(io, lastUseHint(uses))
  return 0
}

function rowsOf({ encoders }: Config, uses: LastUses): Row[] {
  const now = Date.now()
  return Object.entries(encoders).map(([name, fields]) => {
    const { enabled, role, allow, deny, options, from, keys } = fields
    const liveKeys = keys.filter((key) => keyState(fields, key, now) === 'live').length
    const lastUsed = latestUse(name, fields, uses)
    const may = { role, allow, deny, options, from }
    return { name, enabled, ...may, keys: keys.length, liveKeys, lastUsed }
  })
}

/** Times of one form: their order is that of the texts. */
const latestUse = (name: string, { keys }: EncoderConfig, uses: LastUses): string | null =>
  keys
    .map(({ id }) => uses.of(name, id))
    .filter((time) => time !== null)
    .sort()
    .at(-1) ?? null

const header = ['ENCODER', 'STATE', 'MAY', 'FROM', 'LIVE KEYS', 'LAST USED']

const cellsOf = (rows: readonly Row[], uses: LastUses): string[][] =>
  rows.map((row) => [
    row.name,
    row.enabled ? 'enabled' : 'disabled',
    [
      row.role,
      ...row.allow.map((permission) => `+${permission}`),
      ...row.deny.map((permission) => `-${permission}`),
      ...row.options.map((option) => `+${option}`),
    ].join(' '),
    row.from.length === 0 ? 'anywhere' : row.from.join(' '),
    `${row.liveKeys} of ${row.keys}`,
    lastUseText(uses, row.lastUsed),
  ])
