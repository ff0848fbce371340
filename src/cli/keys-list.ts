/** `pinwarden keys list`: which keys there are, and never a secret or its hash. */
import { loadSettings } from '../settings/load.js'
import type { Io } from './io.js'

export interface KeysListOptions {
  readonly configPath: string
  /** All encoders when absent. */
  readonly encoder: string | undefined
  readonly json: boolean
}

interface Row {
  readonly encoder: string
  readonly id: string
  readonly state: 'live' | 'expired' | 'disabled'
  readonly created: string | null
  readonly expires: string | null
  readonly note: string | null
}

export async function keysList({ configPath, encoder, json }: KeysListOptions, io: Io) {
  const { snapshot } = await loadSettings(configPath)
  const now = Date.now()
  const rows = Object.entries(snapshot.config.encoders)
    .filter(([name]) => encoder === undefined || name === encoder)
    .flatMap(([name, { enabled, keys }]) =>
      keys.map(({ id, created = null, expires = null, note = null }): Row => {
        const isExpired = expires !== null && Date.parse(expires) <= now
        const state = !enabled ? 'disabled' : isExpired ? 'expired' : 'live'
        return { encoder: name, id, state, created, expires, note }
      }),
    )
  io.stdout.write(json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows))
  return 0
}

function table(rows: readonly Row[]): string {
  const cells = rows.map(({ encoder, id, state, created, expires, note }) => [
    encoder,
    id,
    state,
    created ?? '-',
    expires ?? 'never',
    note ?? '',
  ])
  const all = [['ENCODER', 'ID', 'STATE', 'CREATED', 'EXPIRES', 'NOTE'], ...cells]
  const widths = all[0]?.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join('  ')
      .trimEnd()
  return all.map((row) => `${line(row)}\n`).join('')
}
