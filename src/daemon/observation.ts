/** How the daemon is looked at from outside: metrics, and the admin listener that shows them. */
import { X509Certificate } from 'node:crypto'
import type { Activity } from '../admin/activity.js'
import { activityReport } from '../admin/activity-report.js'
import { type AdminAddress, openAdmin, type OpenAdmin } from '../admin/admin.js'
import type { KeyUse } from '../admin/key-use.js'
import type { State } from '../cluster/fitness.js'
import type { OpenGate } from './open.js'
import type { JournalReport } from '../journal/journal.js'
import type { StoreReport } from '../store/store.js'
import type { Log } from '../log/log.js'
import type { Metrics } from '../metrics/metrics.js'
import type { LiveSettings } from '../settings/reload/live.js'
import type { Config } from '../settings/schema/schema.js'
import { version } from '../cli/io.js'

export interface Observed {
  readonly live: LiveSettings
  readonly gate: OpenGate
  readonly log: Log
  readonly metrics: Metrics
  readonly keyUse: KeyUse
  readonly activity: Activity
  /** Why it is not ready, beside the cluster: words such as `stopping`. */
  readonly obstacles: () => readonly string[]
}

/** Undefined when the configuration asks for none. */
export async function openObservation(observed: Observed): Promise<OpenAdmin | undefined> {
  const { live, gate, log, metrics, keyUse, activity, obstacles } = observed
  const { admin } = live.current().config
  if (admin === undefined) return undefined
  const startedAt = new Date().toISOString()
  return openAdmin({
    address: addressOf(admin),
    log,
    metrics,
    obstacles,
    isClusterUp: () => gate.isClusterUp(),
    status: () => statusOf(observed, startedAt),
    activity: () => activityReport(activity, live.current(), gate, Date.now()),
    keys: async () => {
      const elsewhere = await gate.keyUses?.read()
      return { since: startedAt, keys: keyUse.list(isKeyOf(live), elsewhere) }
    },
  })
}

/** What `/status` shows. */
export interface Status {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly url: string
  readonly cluster: readonly string[]
  /** How each endpoint of the cluster is; `trial`: it was down and is tried. */
  readonly endpoints: readonly { readonly name: string; readonly state: State }[]
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

function statusOf({ live, gate, log }: Observed, startedAt: string): Status {
  const { config, keyring } = live.current()
  const { since, ...settings } = live.state
  return {
    version,
    node: process.version,
    startedAt,
    url: gate.url,
    cluster: config.cluster.endpoints.map(({ url }) => url),
    endpoints: gate.endpoints.map(({ name, state }) => ({ name, state })),
    journal: gate.journal?.report() ?? null,
    store: gate.store?.() ?? null,
    encoders: keyring.encoderCount,
    requestsUnderWay: gate.requestsUnderWay,
    logLinesDropped: log.dropped,
    certificateExpires: certificateExpiry(live)?.toISOString() ?? null,
    settings: { since: since.toISOString(), ...settings },
  }
}

const isKeyOf = (live: LiveSettings) => {
  const { encoders } = live.current().config
  return (encoder: string, id: string): boolean =>
    encoders[encoder]?.keys.some((key) => key.id === id) === true
}

const addressOf = (admin: NonNullable<Config['admin']>): AdminAddress =>
  admin.socket === undefined ? admin : { socket: admin.socket }

/** Of the certificate in force; undefined without TLS. */
export function certificateExpiry({ tls }: LiveSettings): Date | undefined {
  return tls === undefined ? undefined : new Date(new X509Certificate(tls.cert).validTo)
}
