/** How the daemon is looked at from outside: metrics, and the admin listener that shows them. */
import { X509Certificate } from 'node:crypto'
import { activityReport } from '../admin/activity-report.js'
import { type AdminAddress, openAdmin, type OpenAdmin } from '../admin/admin.js'
import type { HealthState } from '../health/circuit-breaker.js'
import type { Daemon } from './daemon.js'
import type { JournalReport } from '../journal/journal.js'
import type { StoreReport } from '../store/store.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import type { Config } from '../settings/schema/schema.js'
import { version } from '../cli/io.js'

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

/** What `/status` shows. */
export interface Status {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  /** Null until the gate listens. */
  readonly url: string | null
  readonly cluster: readonly string[]
  /** How each endpoint of the cluster is; `half-open`: it was down and is tried. */
  readonly endpoints: readonly { readonly name: string; readonly state: HealthState }[]
  /** Pins that were accepted while the cluster was away; null: there is no journal. */
  readonly journal: JournalReport | null
  /** Whether what several gates share is there; null: this one is alone. */
  readonly store: StoreReport | null
  readonly encoders: number
  readonly requestsUnderWay: number
  readonly logLinesDropped: number
  /** Null without TLS. */
  readonly certificateExpires: string | null
  readonly settings: {
    readonly since: string
    readonly isLastRefused: boolean
    /** Fields whose newest value waits for a restart; absent from an older daemon's answer. */
    readonly needRestart?: readonly string[]
  }
}

function statusOf(daemon: Observed, startedAt: string): Status {
  const { config, keyring } = daemon.settings.current()
  const { since, ...settings } = daemon.settings.state
  return {
    version,
    node: process.version,
    startedAt,
    url: daemon.url(),
    cluster: config.cluster.endpoints.map(({ url }) => url),
    endpoints: daemon.endpoints().map(({ name, state }) => ({ name, state })),
    journal: daemon.journalReport() ?? null,
    store: daemon.storeReport() ?? null,
    encoders: keyring.encoderCount,
    requestsUnderWay: daemon.requestsUnderWay(),
    logLinesDropped: daemon.log.dropped,
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
