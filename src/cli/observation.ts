/** How the daemon is looked at from outside: metrics, and the admin listener that shows them. */
import { X509Certificate } from 'node:crypto'
import { type AdminAddress, openAdmin, type OpenAdmin } from '../admin/admin.js'
import type { OpenGate } from '../gate/open.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { LiveSettings } from '../settings/live.js'
import type { Config } from '../settings/schema.js'
import { version } from './io.js'

export interface Observed {
  readonly live: LiveSettings
  readonly gate: OpenGate
  readonly log: Log
  readonly metrics: Metrics
  /** Why it is not ready, beside the cluster: words such as `stopping`. */
  readonly obstacles: () => readonly string[]
}

/** Undefined when the configuration asks for none. */
export async function openObservation(observed: Observed): Promise<OpenAdmin | undefined> {
  const { live, gate, log, metrics, obstacles } = observed
  const { admin } = live.current().config
  if (admin === undefined) return undefined
  const startedAt = new Date().toISOString()
  return openAdmin({
    address: addressOf(admin),
    log,
    metrics,
    obstacles,
    isClusterUp: () => gate.isClusterUp(),
    status: () => ({
      version,
      node: process.version,
      startedAt,
      url: gate.url,
      cluster: live.current().config.cluster.endpoints.map(({ url }) => url),
      encoders: live.current().keyring.encoderCount,
      requestsUnderWay: gate.requestsUnderWay,
      logLinesDropped: log.dropped,
      certificateExpires: certificateExpiry(live)?.toISOString() ?? null,
    }),
  })
}

const addressOf = (admin: NonNullable<Config['admin']>): AdminAddress =>
  admin.socket === undefined ? admin : { socket: admin.socket }

/** Of the certificate in force; undefined without TLS. */
export function certificateExpiry({ tls }: LiveSettings): Date | undefined {
  return tls === undefined ? undefined : new Date(new X509Certificate(tls.cert).validTo)
}
