/** Puts changed settings into force while the daemon serves, and tells the log what came of it. */
import { X509Certificate } from 'node:crypto'
import { expiryWarning } from '../settings/files/certificate.js'
import { watchFiles } from '../settings/reload/watch.js'
import type { LiveSettings } from '../settings/reload/live.js'
import { dayMs } from '../time/units.js'
import type { Daemon } from './daemon.js'
import { certificateExpiry } from './observation.js'
import { registerReload, type ReloadMetrics } from './reload-metrics.js'
import { type Systemd, servingOn } from './systemd.js'

interface Reloading {
  readonly live: LiveSettings
  readonly daemon: Daemon
  readonly systemd: Systemd
}

/**
 * Reloads when the configuration or a file that it names changes.
 *
 * @returns reloads now; `why` is for the log
 */
export function reloadOnChange({ live, daemon, systemd }: Reloading): (why: string) => void {
  const { log } = daemon
  const metrics = registerReload(daemon.metrics)
  const reload = (why: string): void => {
    systemd.reloading()
    put(live, daemon, metrics, why)
      .catch((err: unknown) => {
        metrics.reloaded(false)
        log.error({ why, err }, notReloaded)
      })
      .finally(() => {
        systemd.ready(servingOn(daemon))
        watch(live.files)
      })
  }
  const watch = watchFiles(() => {
    reload('a file changed')
  })
  watch(live.files)
  metrics.reloaded(true)
  metrics.certificateExpires(certificateExpiry(live))
  return reload
}

/** A daemon that runs for months hears nothing of what a load would have warned of. */
export function warnOfExpiry({ settings, log }: Pick<Daemon, 'settings' | 'log'>): void {
  setInterval(() => {
    const { tls } = settings
    const warning = tls && expiryWarning(new X509Certificate(tls.cert), Date.now())
    if (warning !== undefined) log.warn({}, `listen.tls.certFile: ${warning}`)
  }, dayMs).unref()
}

const notReloaded = 'settings not reloaded: the old ones stay in force'

async function put(
  live: LiveSettings,
  daemon: Daemon,
  metrics: ReloadMetrics,
  why: string,
): Promise<void> {
  const { log } = daemon
  const outcome = await live.reload()
  if (!outcome.isApplied) {
    metrics.reloaded(false)
    log.error({ why, problems: outcome.problems }, notReloaded)
    return
  }
  const { changes, needRestart, hasNewTls } = outcome
  daemon.apply(hasNewTls ? live.tls : undefined)
  metrics.reloaded(true)
  metrics.certificateExpires(certificateExpiry(live))
  const isPair = changes.files?.some((field) => field.startsWith('listen.tls.')) === true
  const certificate = hasNewTls && isPair && { certificate: 'new' }
  log.info({ why, changes, ...certificate }, 'settings reloaded')
  if (needRestart.length > 0) log.warn({ needRestart }, 'some settings need a restart')
  for (const warning of outcome.warnings) log.warn({}, warning)
  // Last, so that a level that hides the above does not hide its own coming.
  log.setLevel(live.current().config.log.level)
}
