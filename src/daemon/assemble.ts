/**
 * The composition root: opens each part of the daemon in reading order, and closes them in the
 * reverse one, be it that the daemon stops or that a step of the start fails. Read this second,
 * after gate/gate.ts.
 */
import { Server as TlsServer } from 'node:https'
import { Activity } from '../admin/activity.js'
import { KeyUse } from '../admin/key-use.js'
import { ClusterClient } from '../cluster/cluster-client.js'
import { registerEndpoints } from '../cluster/endpoint-metrics.js'
import { registerFallback } from '../fallback/fallback-metrics.js'
import { createGate } from '../gate/gate.js'
import type { AccessLine } from '../log/access-line.js'
import { registerJournal } from '../journal/journal-metrics.js'
import { openLeases } from '../leases/leases.js'
import { Listings } from '../listings/listings.js'
import { PeerCount } from '../listings/peer-count.js'
import { SpoolQuota } from '../listings/spool-quota.js'
import type { Log } from '../log/log.js'
import { registerLog } from '../log/log-metrics.js'
import { openRegistry } from '../metrics/registry.js'
import type { PinEvent } from '../tracking/tracked-pin.js'
import { trackPins } from '../tracking/track-pins.js'
import { registerTracking } from '../tracking/tracking-metrics.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import { SharedKeyUses } from '../store/key-uses.js'
import { SharedLocks } from '../store/shared-locks.js'
import { registerStore } from '../store/store-metrics.js'
import type { Daemon } from './daemon.js'
import { endpointEvents } from './endpoint-events.js'
import type { PassedSocket } from './listen-descriptor.js'
import { openControlSocket, openFallback, openJournal, openStore } from './optional-parts.js'
import { openAdminListener } from './observation.js'
import { addressesOf, refusePlainHttp } from './plain-http.js'
import { serveOn } from './serve-on.js'
import { loggerOf } from '../log/logger.js'

export interface Given {
  readonly settings: SettingsInForce
  readonly log: Log
  /** Of pinwarden itself: named to the cluster. */
  readonly version: string
  /** Where the system lets this daemon keep what outlives it; undefined: nowhere. */
  readonly stateDirectory?: string | undefined
  /** Listens already; instead of `listen.host` and `listen.port`. */
  readonly passed?: PassedSocket | undefined
  /** Path of the control socket; undefined: there is none. */
  readonly controlSocket?: string | undefined
  /** Sees the line of every request. */
  readonly observe?: (line: AccessLine) => void
  /** Told what became of each pin. */
  readonly onPinEvent?: (event: PinEvent) => void
}

/**
 * @returns the daemon, which serves already; its disposal ends it without losing a request
 * @throws ConfigError, or the error of an address, a socket or a file that cannot be had; whatever
 *   was opened is closed by then
 */
export async function assemble(given: Given): Promise<Daemon> {
  const parts = new AsyncDisposableStack()
  try {
    const daemon = await open(given, parts)
    return { ...daemon, [Symbol.asyncDispose]: () => close(given, parts, stopMs(given)) }
  } catch (error) {
    // Why the start failed is what the operator has to read, whatever else goes wrong now.
    await close(given, parts, failedStartMs).catch((err: unknown) => {
      given.log.error({ err }, 'a part of the daemon failed to close')
    })
    throw error
  }
}

/** What was opened last listens last, so hardly anything is under way. */
const failedStartMs = 1500

/** Beyond the time that the settings give to clients: for what is written and told at the end. */
const closeMs = 5000

function stopMs({ settings }: Given): number {
  const { lingerMs, shutdownMs } = settings.current().config.listen
  return lingerMs + shutdownMs + closeMs
}

/** In the reverse order; a part that hangs is left behind. */
async function close({ log }: Given, parts: AsyncDisposableStack, limitMs: number): Promise<void> {
  const limit = Promise.withResolvers<'too late'>()
  const timer = setTimeout(limit.resolve, limitMs, 'too late')
  const outcome = await Promise.race([parts.disposeAsync(), limit.promise])
  clearTimeout(timer)
  if (outcome === 'too late') log.error({ limitMs }, 'a part of the daemon did not close in time')
}

type Opened = Omit<Daemon, typeof Symbol.asyncDispose>

async function open(given: Given, parts: AsyncDisposableStack): Promise<Opened> {
  const { settings, log, version, stateDirectory, passed } = given
  const { current } = settings
  const { listen, listing, lookBack } = current().config
  const logger = loggerOf(log)
  const userAgent = `pinwarden/${version}`
  const headers = { accept: 'application/json', 'user-agent': userAgent }
  const keepIn = lookBack?.directory ?? stateDirectory

  // Before anything is opened; a name is judged once more when it is known what it was bound to.
  const addresses = passed === undefined ? await addressesOf(listen.host) : [passed.host]
  refusePlainHttp(listen, addresses, passed !== undefined)

  // What is shared with other gates, and what outlives this one.
  const store = parts.adopt(await openStore(current(), logger), (store) => store?.close())
  const keyUses = parts.adopt(store && new SharedKeyUses(store), (uses) => uses?.close())
  const journal = parts.adopt(await openJournal(current().config, logger), (journal) =>
    journal?.close(),
  )

  // The cluster, and what is known of its pins.
  const cluster = parts.adopt(new ClusterClient(current(), endpointEvents(log)), (cluster) =>
    cluster.end(),
  )
  const { directory = '/var/tmp', spoolBytesMax } = listing
  const onError = (err: unknown): void => {
    log.warn({ directory, err }, 'a listing is not spooled: it passes through, for one at a time')
  }
  const spoolQuota = parts.adopt(new SpoolQuota(directory, spoolBytesMax, onError), (quota) => {
    quota.close()
  })
  const severalPeers = await PeerCount.open({ directory: keepIn, log: logger })
  const listings = parts.adopt(new Listings(cluster, spoolQuota, severalPeers), (listings) => {
    listings.close()
  })
  const asking = { config: () => current().config.cluster, userAgent, tell: logger }
  const shared = store && new SharedLocks(store)
  const leases = parts.adopt(
    await openLeases({ ...asking, link: cluster, keepIn, shared }),
    (leases) => leases.close(),
  )
  const fallback = parts.adopt(
    journal && (await openFallback({ journal, cluster, current, headers, log: logger })),
    (fallback) => fallback?.close(),
  )
  const onEvent = (event: PinEvent): void => {
    countEvent(event)
    activity.pinEvent(event)
    given.onPinEvent?.(event)
    if (event.result === 'pinned' || event.result === 'recovered') void fallback?.pinned(event.cid)
  }
  const tracker = parts.adopt(
    trackPins({ ...asking, cluster, log: logger, onEvent }),
    (tracker) => {
      tracker.close()
    },
  )

  // What is seen from outside.
  const metrics = openRegistry(version)
  const endpoints = () => cluster.current.endpoints.map((endpoint) => endpoint.report)
  const countEvent = registerTracking(metrics, tracker)
  registerEndpoints(metrics, endpoints)
  registerLog(metrics, log)
  if (fallback) registerFallback(metrics, fallback)
  if (store) registerStore(metrics, store)
  const keyUse = new KeyUse()
  const activity = new Activity()
  const observe = (line: AccessLine): void => {
    keyUse.observe(line)
    activity.observe(line)
    keyUses?.observe(line)
    given.observe?.(line)
  }

  // The gate, which listens last: by then all that a request may need is there.
  const gate = await createGate({
    ...{ current, tls: settings.tls, log, metrics, observe, cluster, userAgent, store },
    ...{ listings, leases, tracker, journal, onQueued: (cid) => fallback?.accepted(cid) },
  })
  parts.defer(() => gate.close())
  const { app, connections, replay } = gate
  if (replay) registerJournal(metrics, () => replay.report)
  let url: string | null = null
  const obstacles = new Set(['starting'])
  const daemon: Omit<Opened, 'admin'> = {
    ...{ settings, log, metrics, keyUse, activity, leases, keyUses, obstacles },
    url: () => url,
    requestsUnderWay: () => connections.requestsUnderWay,
    budgetLeft: (encoder, budget) => gate.budgetLeft(encoder, budget),
    pendingPins: () => tracker.pendingPins(),
    journal: journal &&
      replay && {
        journal,
        again: () => {
          replay.retryNow()
        },
      },
    journalReport: () => replay?.report,
    fallbackReport: () => fallback?.report,
    storeReport: () => store?.report,
    endpoints,
    isClusterUp: () => cluster.probe(),
    apply: (material) => {
      if (cluster.apply(current())) {
        listings.clear()
        leases.startAnew()
        fallback?.forgetComparison()
      }
      store?.take(current().config.store, current().storeSecrets)
      if (material !== undefined && app.server instanceof TlsServer)
        app.server.setSecureContext(material)
    },
  }
  // Closed in this order after the last request is done: health and metrics are there until then.
  parts.adopt(await openControlSocket(daemon, given.controlSocket), (control) => control?.close())
  const admin = parts.adopt(await openAdminListener(daemon), (admin) => admin?.close())
  url = parts.use(await serveOn({ gate, settings, log, passed })).url
  parts.defer(() => {
    obstacles.add('stopping')
    // Requests that wait for a pin are answered now.
    tracker.close()
    gate.stopWaiting()
  })
  obstacles.delete('starting')
  return { ...daemon, admin: admin?.at }
}
