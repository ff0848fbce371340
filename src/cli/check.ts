/** `pinwarden check`: whether the configuration is valid, and what it comes to. */
import { loadSettings, type Settings } from '../settings/load.js'
import type { Io } from './io.js'
import { warn } from './report.js'

export interface CheckOptions {
  readonly configPath: string
}

/** Throws a ConfigError with every problem. */
export async function check({ configPath }: CheckOptions, io: Io): Promise<number> {
  const settings = await loadSettings(configPath)
  for (const warning of settings.warnings) warn(io, warning)
  io.stdout.write(`ok: ${configPath}\n${summary(settings, Date.now())}`)
  return 0
}

function summary({ snapshot, tls }: Settings, now: number): string {
  const { listen, cluster, encoders } = snapshot.config
  // The socket itself is passed to `serve` only, which then judges it.
  const plain = listen.allowPlainHttp ? 'off' : 'off: a socket of systemd must be on loopback too'
  const all = Object.values(encoders)
  const keys = all.flatMap((encoder) => encoder.keys)
  const disabled = all.filter(({ enabled }) => !enabled).length
  const expired = keys.filter(
    ({ expires }) => expires !== undefined && Date.parse(expires) <= now,
  ).length
  const rows = [
    ['listen', `${listen.host} port ${listen.port}`],
    ['tls', tls === undefined ? plain : `${tls.minVersion} or newer`],
    ['cluster', cluster.endpoints.map(({ url }) => url).join(', ')],
    ['encoders', `${all.length}${disabled > 0 ? ` (${disabled} disabled)` : ''}`],
    ['keys', `${keys.length}${expired > 0 ? ` (${expired} expired)` : ''}`],
  ] as const
  return rows.map(([name, value]) => `  ${name.padEnd(9)} ${value}\n`).join('')
}
