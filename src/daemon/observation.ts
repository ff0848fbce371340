/** Metrics, and the admin listener that shows them. */
import { X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { activityReport } from '../admin/activity-report.js'
import { AlarmWatch } from '../admin/alarm-watch.js'
import { keyEnds } from '../admin/key-ends.js'
import { type AdminAddress, openAdmin, type OpenAdmin } from '../admin/admin.js'
import type { AdminPlaces } from '../admin/admin-listener.js'
import type { StatusReport } from '../admin/status-report.js'
import type { Daemon } from './daemon.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import type { Config } from '../settings/schema/schema.js'
import { version } from './version.js'

type Observed = Omit<Daemon, 'admin' | typeof Symbol.asyncDispose>

/** Undefined without an `admin` section in the settings. */
export async function openAdminListener(
  daemon: Observed,
  places: AdminPlaces,
): Promise<OpenAdmin | undefined> {
  const { settings, log, metrics, keyUse, activity, keyUses } = daemon
  const { admin } = settings.current().config
  if (admin === undefined) return undefined
  const startedAt = new Date().toISOString()
  const watch = new AlarmWatch(
    activity,
    async () => ({
      status: await statusOf(daemon, startedAt),
      keyEnds: keyEndsOf(daemon, Date.now()),
      failing: new Map(
        [...daemon.pendingPins()].flatMap(([name, { failing }]) =>
          failing > 0 ? [[name, failing] as const] : [],
        ),
      ),
      linesDropped: log.sink.dropped,
    }),
    (error) => {
      log.bug(error)
    },
  )
  const opened = await openAdmin({
    address: addressOf(admin),
    ...{ log, metrics, places },
    obstacles: daemon.obstacles,
    isClusterUp: () => daemon.isClusterUp(),
    status: async () => {
      const { status, alarms } = await watch.look()
      return { ...status, alarms }
    },
    activity: () => activityReport(activity, settings.current(), daemon, Date.now()),
    keys: async () => {
      const elsewhere = await keyUses?.read()
      return { since: startedAt, keys: keyUse.list(isKeyOf(settings), elsewhere) }
    },
  })
  watch.start()
  return {
    at: opened.at,
    close: () => {
      watch.close()
      return opened.close()
    },
  }
}

/** Keys whose end locks their encoder out. */
export const keyEndsOf = ({ settings, keyUse }: Pick<Daemon, 'settings' | 'keyUse'>, now: number) =>
  keyEnds(settings.current().config.encoders, (...key) => keyUse.isUsed(...key), now)

async function statusOf(daemon: Observed, startedAt: string): Promise<StatusReport> {
  const now = Date.now()
  const { config, keyring } = daemon.settings.current()
  const { since, ...settings } = daemon.settings.state
  return {
    version,
    node: process.version,
    host: hostname(),
    startedAt,
    url: daemon.url(),
    cluster: config.cluster.endpoints.map(({ url }) => url),
    endpoints: daemon.endpoints().map(({ name, origin, state, stateMs, lagMs, ...rest }) => ({
      ...{ reason: rest.reason, clockAheadMs: rest.clockAheadMs },
      ...{ name, url: origin, state, lagSeconds: Math.round(lagMs / 1000) },
      since: new Date(now - stateMs).toISOString(),
    })),
    journal: daemon.queueReport() ?? null,
    ledger: await daemon.ledgerReport(),
    store: daemon.storeReport() ?? null,
    encoders: keyring.encoderCount,
    requestsInFlight: daemon.requestsInFlight(),
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

/** Expiry of the current certificate; undefined without TLS. */
export function certificateExpiry({ tls }: SettingsInForce): Date | undefined {
  return tls === undefined ? undefined : new Date(new X509Certificate(tls.cert).validTo)
}
