/** Applies changed settings while the daemon serves, and logs the outcome. */
import { X509Certificate } from 'node:crypto'
import { expiryWarning } from '../settings/files/certificate.js'
import { stateOfFiles, watchFiles } from '../settings/reload/watch.js'
import type { LiveSettings, Reload } from '../settings/reload/live.js'
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

/** Retries in addition to the file watcher: the obstacle may be in a directory above the files. */
const againMs = 10_000

/** Reloads when the configuration or a file that it names changes, until it is stopped. */
export function reloadOnChange({ live, daemon, systemd }: Reloading): Reloader {
  const { log } = daemon
  const metrics = registerReload(daemon.metrics)
  const ending = new AbortController()
  const isStopped = (): boolean => ending.signal.aborted
  let seen = stateOfFiles(live.files)
  let again: NodeJS.Timeout | undefined
  let logged = ''

  let running: Promise<Reload | undefined> = Promise.resolve(undefined)
  let next: Promise<Reload | undefined> | undefined
  /** One at a time; requests that come while another one waits share its outcome. */
  const reload = (why: string): Promise<Reload | undefined> => {
    running = next ??= running.then(() => {
      next = undefined
      return reloadNow(why)
    })
    return running
  }
  const reloadNow = async (why: string): Promise<Reload | undefined> => {
    if (isStopped()) return undefined
    seen = stateOfFiles(live.files)
    clearTimeout(again)
    systemd.reloading()
    let outcome: Reload | undefined
    try {
      outcome = await live.reload()
      // The parts that would take it are closing; systemd knows of the stop.
      if (isStopped()) return undefined
      put(outcome, { live, daemon, metrics, why, isLogged: problemsIn(outcome) === logged })
      logged = problemsIn(outcome)
    } catch (err) {
      metrics.reloaded(false)
      log.error({ why, err }, notReloaded)
    }
    if (isStopped()) return undefined
    systemd.ready(servingOn(daemon))
    watch(live.files)
    if (outcome?.isApplied !== true)
      again = setTimeout(() => void reload('looked again after a refusal'), againMs).unref()
    return outcome
  }
  const watch = watchFiles(() => {
    // A SIGHUP may have read this change already.
    if (stateOfFiles(live.files) !== seen) void reload('a file changed')
  })
  watch(live.files)
  metrics.reloaded(true)
  metrics.certificateExpires(certificateExpiry(live))
  return {
    reload,
    stop: () => {
      ending.abort()
      clearTimeout(again)
      watch([])
    },
  }
}

export interface Reloader {
  /**
   * Reloads now; `why` is for the log.
   * @returns undefined: it failed, which the log has, or the daemon is stopping
   */
  readonly reload: (why: string) => Promise<Reload | undefined>
  readonly stop: () => void
}

const problemsIn = (outcome: Reload): string =>
  outcome.isApplied ? '' : JSON.stringify(outcome.problems)

/** Warns every day: a daemon that runs for months never loads its settings again. */
export function warnOfExpiry({ settings, log }: Pick<Daemon, 'settings' | 'log'>): void {
  setInterval(() => {
    const { tls } = settings
    const warning = tls && expiryWarning(new X509Certificate(tls.cert), Date.now())
    if (warning !== undefined) log.warn({ warning: `listen.tls.certFile: ${warning}` }, warned)
  }, dayMs).unref()
}

const warned = 'the settings have a warning'

const notReloaded = 'settings not reloaded: the old ones stay in force'

interface Putting {
  readonly live: LiveSettings
  readonly daemon: Daemon
  readonly metrics: ReloadMetrics
  readonly why: string
  /** Whether the log has the same problems already. */
  readonly isLogged: boolean
}

function put(outcome: Reload, { live, daemon, metrics, why, isLogged }: Putting): void {
  const { log } = daemon
  if (!outcome.isApplied) {
    metrics.reloaded(false)
    if (!isLogged || why === 'SIGHUP') log.error({ why, problems: outcome.problems }, notReloaded)
    return
  }
  const { changes, needRestart, hasNewTls } = outcome
  daemon.apply(hasNewTls ? live.tls : undefined)
  metrics.reloaded(true)
  metrics.certificateExpires(certificateExpiry(live))
  const isPair = changes.files?.some((field) => field.startsWith('listen.tls.')) === true
  const certificate = hasNewTls && isPair && { certificate: 'new' }
  log.info({ why, changes, ...certificate }, 'settings reloaded')
  if (needRestart.length > 0) log.warn({ needRestart }, 'some settings wait for a restart')
  for (const warning of outcome.warnings) log.warn({ warning }, warned)
  // Comes last, so that a new level does not hide the lines above.
  log.setLevel(live.current().config.log.level)
}
