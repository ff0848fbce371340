/** `pinwarden serve`: the daemon, from its settings to its last log line. */
import { Activity } from '../admin/activity.js'
import { openControl, type OpenControl } from '../admin/control.js'
import { KeyUse } from '../admin/key-use.js'
import { type OpenGate, openGate } from './open.js'
import { type Log, openLog } from '../log/log.js'
import { createMetrics } from '../metrics/metrics.js'
import { LiveSettings } from '../settings/reload/live.js'
import type { Snapshot } from '../settings/snapshot.js'
import { type DaemonSignal, type TakeSignals, version } from '../cli/io.js'
import { passedSocket } from './listen-descriptor.js'
import { controlSocket } from '../cli/ask-control.js'
import { type Observed, openObservation } from './observation.js'
import { releaseMemory } from './release-memory.js'
import { reloadOnChange, warnOfExpiry } from './reload.js'
import { Systemd, servingOn } from './systemd.js'
import { unitDirectory } from './unit-directory.js'

export interface ServeOptions {
  readonly configPath: string
  /** Without it nothing but the process's end ends the daemon. */
  readonly takeSignals: TakeSignals | undefined
}

/**
 * Runs until SIGTERM or SIGINT; a second signal ends it at once. SIGHUP reloads the settings,
 * SIGUSR2 reopens the log file. Under systemd it takes over the socket that it is passed, and tells
 * of its state.
 *
 * @returns 0 after an orderly end
 * @throws ConfigError, or the error of the log file or the address
 */
export async function serve({ configPath, takeSignals }: ServeOptions): Promise<number> {
  const passed = passedSocket(process.env, process.pid)
  const { live, warnings } = await LiveSettings.load(configPath)
  const log = await openLog(live.current().config.log)
  failLoudly(log)
  for (const warning of warnings) log.warn({ config: configPath }, warning)

  const metrics = createMetrics({
    version,
    inFlight: () => gate.requestsUnderWay,
    linesDropped: () => log.dropped,
    endpoints: () => gate.endpoints,
    unsettled: () => gate.unsettled(),
    journal: () => gate.journal?.report(),
    fallback: () => gate.fallback?.(),
    store: () => gate.store?.(),
  })
  const keyUse = new KeyUse()
  const activity = new Activity()
  const gate = await openGate({
    current: live.current,
    log,
    tls: live.tls,
    observe: (line) => {
      metrics.observe(line)
      keyUse.observe(line)
      activity.observe(line)
    },
    onPinNews: (news) => {
      metrics.settled(news)
      activity.settled(news)
    },
    version,
    stateDirectory: unitDirectory(process.env.STATE_DIRECTORY),
    passed,
  })
  const systemd = new Systemd(process.env, log)
  const obstacles: string[] = []
  const daemon = { live, gate, log, metrics, keyUse, activity, systemd, obstacles: () => obstacles }
  const admin = await openObservation(daemon).catch(async (error: unknown) => {
    await gate.close()
    throw error
  })
  const control = await openControlOf(daemon).catch(async (error: unknown) => {
    // What listens already would keep a daemon alive that never came to serve.
    await Promise.all([gate.close(), admin?.close()])
    throw error
  })
  const reload = reloadOnChange(daemon)
  warnOfExpiry(daemon)
  await releaseMemory()
  log.info({ ...startOf(gate, live.current(), configPath), admin: admin?.at }, 'listening')
  systemd.ready(servingOn(gate.url))
  systemd.keepAlive()

  const stop = Promise.withResolvers<DaemonSignal>()
  takeSignals?.((signal) => {
    if (signal === 'SIGHUP') reload(signal)
    else if (signal === 'SIGUSR2') reopen(log)
    else stop.resolve(signal)
  })
  const signal = await stop.promise
  obstacles.push('stopping')
  void systemd.stopping('finishing the requests under way')
  log.info({ signal }, 'stopping: requests under way are finished')
  await control?.close()
  await gate.close()
  // Health and metrics are there until the last request is done.
  await admin?.close()
  log.info({}, 'stopped')
  await log.close()
  return 0
}

/** Without one, commands that change pins say that there is none. */
async function openControlOf({ live, gate, log }: Observed): Promise<OpenControl | undefined> {
  const socket = controlSocket(live.current().config, process.env)
  if (socket === undefined) return undefined
  const { leases, journal } = gate
  return openControl({ socket, current: live.current, leases, journal, log })
}

const startOf = (gate: OpenGate, { config, keyring }: Snapshot, configPath: string) => ({
  version,
  node: process.version,
  pid: process.pid,
  url: gate.url,
  cluster: config.cluster.endpoints.map((endpoint) => endpoint.url),
  encoders: keyring.encoderCount,
  config: configPath,
})

function reopen(log: Log): void {
  log.reopen()
  log.info({}, 'log reopened')
}

/** A state that nobody planned for is not gone on with: log it whole, exit, be restarted. */
function failLoudly(log: Log): void {
  const fail = (err: unknown): void => {
    log.fatal({ err }, 'uncaught error')
    void log.close().then(() => process.exit(1))
  }
  process.on('uncaughtException', fail).on('unhandledRejection', fail)
}
