/** How the daemon is looked at from outside: metrics, and the admin listener that shows them. */
import { X509Certificate } from 'node:crypto'
import { activityReport } from '../admin/activity-report.js'
import { type AdminAddress, openAdmin, type OpenAdmin } from '../admin/admin.js'
import type { StatusReport } from '../admin/status-report.js'
import type { Daemon } from './daemon.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import type { Config } from '../settings/schema/schema.js'
import { version } from './version.js'

type Observed = Omit<Daemon, 'admin' | typeof Symbol.asyncDispose>

/** Undefined when the configuration asks for none. */
export async function openAdminListener(daemon: Observed): Promise<OpenAdmin | undefined> {
  const { settings, log, metrics, keyUse, activity, obstacles, keyUses } = daemon
  const { admin } = settings.current().config
  if (admin === undefined) return undefined
  const startedAt = new Date().toISOString()
  return openAdmin({
    address: addressOf(admin),
    ...{ log, metrics },
    obstacles: () => [...obstacles],
    isClusterUp: () => daemon.isClusterUp(),
    status: () => statusOf(daemon, startedAt),
    activity: () => activityReport(activity, settings.current(), daemon, Date.now()),
    keys: async () => {
      const elsewhere = await keyUses?.read()
      return { since: startedAt, keys: keyUse.list(isKeyOf(settings), elsewhere) }
    },
  })
}

async function statusOf(daemon: Observed, startedAt: string): Promise<StatusReport> {
  const { config, keyring } = daemon.settings.current()
  const { since, ...settings } = daemon.settings.state
  return {
    version,
    node: process.version,
    startedAt,
    url: daemon.url(),
    cluster: config.cluster.endpoints.map(({ url }) => url),
    endpoints: daemon.endpoints().map(({ name, state, lagMs }) => ({
      ...{ name, state, lagSeconds: Math.round(lagMs / 1000) },
    })),
    journal: daemon.journalReport() ?? null,
    ledger: await daemon.ledgerReport(),
    store: daemon.storeReport() ?? null,
    encoders: keyring.encoderCount,
    requestsUnderWay: daemon.requestsUnderWay(),
    logLinesDropped: daemon.log.sink.dropped,
    certificateExpires: certificateExpiry(daemon.settings)?.toISOString() ?? null,
    settings: { since: since.toISOString(), ...settings },
  }
}

const isKeyOf = ({ current }: SettingsInForce) => {
  const { encoders } = current().config
  return (encoder: string, id: string): boolean =>
    encoders[encoder]?.keys.some((key) => key.id === id) === true
}

const addressOf = (admin: NonNullable<Config['admin']>): AdminAddress =>
  admin.socket === undefined ? admin : { socket: admin.socket }

/** Of the certificate in force; undefined without TLS. */
export function certificateExpiry({ tls }: SettingsInForce): Date | undefined {
  return tls === undefined ? undefined : new Date(new X509Certificate(tls.cert).validTo)
}
