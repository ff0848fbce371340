/** `pinwarden serve`: the daemon, from its settings to its last log line. */
import { type Log, openLog } from '../log/log.js'
import { releaseMemory } from '../ledger/storage/release-memory.js'
import { inLinesOf } from '../settings/load.js'
import { ConfigError } from '../settings/problems.js'
import { LiveSettings } from '../settings/reload/live.js'
import { assemble } from './assemble.js'
import type { Daemon } from './daemon.js'
import { collectWhenIdle, limitGarbage } from './garbage.js'
import { passedSocket } from './listen-descriptor.js'
import { startProblems, startWarnings } from './start-problems.js'
import { reloadOnChange, warnOfExpiry } from './reload.js'
import { controlSocket, servingOn, Systemd, unitDirectory } from './systemd.js'
import { version } from './version.js'

/** Signals that the daemon handles. */
export type DaemonSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2'

/** Passes on the signals that came before, and each one from now on. */
export type TakeSignals = (obey: (signal: DaemonSignal) => void) => void

export interface ServeOptions {
  readonly configPath: string
  /** Without it only the end of the process ends the daemon. */
  readonly takeSignals: TakeSignals | undefined
}

/**
 * Runs until SIGTERM or SIGINT; a second signal ends it immediately. SIGHUP reloads the settings,
 * SIGUSR2 reopens the log file. Under systemd it uses the passed socket and reports its state.
 * @returns 0 after a clean shutdown
 * @throws ConfigError, or the error of the log file or the address
 */
export async function serve({ configPath, takeSignals }: ServeOptions): Promise<number> {
  const passed = passedSocket(process.env, process.pid)
  const { live, warnings } = await LiveSettings.load(configPath)
  const { config } = live.current()
  const stateDirectory = unitDirectory(process.env.STATE_DIRECTORY)
  const socket = controlSocket(config, process.env)
  const place = { stateDirectory, controlSocket: socket, passedHost: passed?.host }
  const problems = await startProblems(config, place)
  if (problems.length > 0) throw new ConfigError(await inLinesOf(configPath, problems))
  await using parts = new AsyncDisposableStack()
  const log = parts.adopt(await openLog(config.log), (log) => log.close())
  failLoudly(log)
  for (const warning of [...warnings, ...startWarnings(config, stateDirectory)])
    log.warn({ config: configPath, warning }, 'the settings have a warning')

  const daemon = parts.use(
    await assemble({
      ...{ settings: live, log, version, passed, stateDirectory, controlSocket: socket },
    }),
  )
  const systemd = new Systemd(process.env, log)
  const reloader = reloadOnChange({ live, daemon, systemd })
  daemon.reloading.now = reloader.reload
  warnOfExpiry(daemon)
  limitGarbage()
  log.info(startOf(daemon, configPath), 'listening')
  systemd.ready(servingOn(daemon))
  systemd.keepAlive()
  collectWhenIdle(() => Promise.all([releaseMemory(), daemon.ledgerDisk.releaseMemory()]))

  const stop = Promise.withResolvers<DaemonSignal>()
  takeSignals?.((signal) => {
    if (signal === 'SIGHUP') void reloader.reload(signal)
    else if (signal === 'SIGUSR2') void reopen(log)
    else stop.resolve(signal)
  })
  const signal = await stop.promise
  reloader.stop()
  void systemd.stopping('finishing requests in flight')
  log.info({ signal }, 'began to stop; requests in flight are finished first')
  await daemon[Symbol.asyncDispose]()
  log.info({}, 'stopped')
  return 0
}

function startOf(daemon: Daemon, configPath: string) {
  const { config, keyring } = daemon.settings.current()
  return {
    version,
    node: process.version,
    pid: process.pid,
    url: daemon.url(),
    cluster: config.cluster.endpoints.map((endpoint) => endpoint.url),
    encoders: keyring.encoderCount,
    config: configPath,
    admin: daemon.admin,
  }
}

const reopenAgainMs = 10_000

async function reopen(log: Log): Promise<void> {
  try {
    await log.reopen()
    log.info({}, 'log reopened')
  } catch (err) {
    log.error({ err }, 'could not reopen the log file; the old one stays in use')
    setTimeout(() => void reopen(log), reopenAgainMs).unref()
  }
}

/**
 * The daemon does not continue in an unknown state: it logs the whole error and exits; systemd
 * starts it again.
 */
function failLoudly(log: Log): void {
  const fail = (err: unknown): void => {
    log.fatal({ err }, 'uncaught error')
    void log.close().then(() => process.exit(1))
  }
  process.on('uncaughtException', fail).on('unhandledRejection', fail)
}
