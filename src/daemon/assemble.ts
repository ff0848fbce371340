/**
 * The composition root: opens each part of the daemon in reading order, and closes all in the
 * reverse order, when the daemon stops and when a step of the start fails. Read this second, after
 * gate/gate.ts.
 */
import { registerPlaces } from '../admin/admin-listener.js'
import { Server as TlsServer } from 'node:https'
import { Activity } from '../admin/activity.js'
import { registerKeyEnds } from '../admin/key-ends.js'
import { KeyUse } from '../admin/key-use.js'
import { ClusterClient } from '../cluster/cluster-client.js'
import { registerEndpoints } from '../cluster/endpoint-metrics.js'
import { readLines, type TakeLine } from '../cluster/lines.js'
import { registerFallback } from '../fallback/fallback-metrics.js'
import { createGate } from '../gate/gate.js'
import type { AccessLine } from '../log/access-line.js'
import { accessCluster } from '../ledger/cluster-access.js'
import { ledgerDirectory } from '../ledger/ledger-directory.js'
import { registerLedger, registerQueue } from '../ledger/ledger-metrics.js'
import { openLedger } from '../ledger/open-ledger.js'
import { PendingCounts } from '../ledger/pending-counts.js'
import { Listings } from '../listings/listings.js'
import { PeerCount } from '../listings/peer-count.js'
import { SpoolQuota } from '../listings/spool-quota.js'
import type { Log } from '../log/log.js'
import { registerLog } from '../log/log-metrics.js'
import { loggerOf } from '../log/logger.js'
import { addCounter } from '../metrics/read-at-scrape.js'
import { openRegistry } from '../metrics/registry.js'
import type { PinEvent } from '../tracking/tracked-pin.js'
import { type ReadPins, trackPins } from '../tracking/track-pins.js'
import { registerTracking } from '../tracking/tracking-metrics.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import { SharedKeyUses } from '../store/key-uses.js'
import { SharedLocks } from '../store/shared-locks.js'
import { SharedMail } from '../store/shared-mail.js'
import { registerStore } from '../store/store-metrics.js'
import { clock } from '../time/clock.js'
import type { Daemon } from './daemon.js'
import { EncoderNames } from './encoder-names.js'
import { endpointEvents } from './endpoint-events.js'
import type { PassedSocket } from './listen-descriptor.js'
import {
  openControlSocket,
  openFallback,
  openStorage,
  openStore,
  refuseAnothers,
} from './optional-parts.js'
import { keyEndsOf, openAdminListener } from './observation.js'
import { addressesOf, refusePlainHttp } from './plain-http.js'
import { serveOn } from './serve-on.js'

export interface Given {
  readonly settings: SettingsInForce
  readonly log: Log
  /** Version of pinwarden, which the cluster learns. */
  readonly version: string
  /** Directory for what outlives the process; undefined: none. */
  readonly stateDirectory?: string | undefined
  /** A listening socket from systemd, in place of `listen.host` and `listen.port`. */
  readonly passed?: PassedSocket | undefined
  /** Path of the control socket; undefined: without one. */
  readonly controlSocket?: string | undefined
  /** Sees the line of every request. */
  readonly observe?: (line: AccessLine) => void
  /** Gets the outcome of each pin. */
  readonly onPinEvent?: (event: PinEvent) => void
}

/**
 * @returns the daemon, which already serves; disposing of it ends it without losing a request
 * @throws ConfigError, or the error of an address, a socket or a file; by then all parts are closed
 */
export async function assemble(given: Given): Promise<Daemon> {
  const parts = new AsyncDisposableStack()
  try {
    const daemon = await open(given, parts)
    return { ...daemon, [Symbol.asyncDispose]: () => close(given, parts, stopMs(given)) }
  } catch (error) {
    // The operator has to see why the start failed, whatever fails now.
    await close(given, parts, failedStartMs).catch((err: unknown) => {
      given.log.error({ err }, 'a part of the daemon failed to close')
    })
    throw error
  }
}

/** The public port opens last, so hardly any request is in flight. */
const failedStartMs = 1500

/** In addition to the time that the settings give clients: for the last writes and messages. */
const closeMs = 5000

function stopMs({ settings }: Given): number {
  const { lingerMs, shutdownMs } = settings.current().config.listen
  return lingerMs + shutdownMs + closeMs
}

/** Closes in the reverse order; a part that hangs is abandoned. */
async function close({ log }: Given, parts: AsyncDisposableStack, limitMs: number): Promise<void> {
  const limit = Promise.withResolvers<'too late'>()
  const timer = setTimeout(limit.resolve, limitMs, 'too late')
  const outcome = await Promise.race([parts.disposeAsync(), limit.promise])
  clearTimeout(timer)
  if (outcome === 'too late') log.error({ limitMs }, 'a part of the daemon did not close in time')
}

type Opened = Omit<Daemon, typeof Symbol.asyncDispose>

interface Part {
  close(): unknown
}

async function open(given: Given, parts: AsyncDisposableStack): Promise<Opened> {
  const { settings, log, version, stateDirectory, passed } = given
  const { current } = settings
  const { listen, listing, onOutage, journal } = current().config
  const logger = loggerOf(log)
  const clusterConfig = () => current().config.cluster
  const headers = { accept: 'application/json', 'user-agent': `pinwarden/${version}` }
  const closing = <T extends Part | undefined>(part: T): T =>
    parts.adopt(part, async (opened) => {
      await opened?.close()
    })

  // Runs before anything opens; a host name is checked again once its address is known.
  const addresses = passed === undefined ? await addressesOf(listen.host) : [passed.host]
  refusePlainHttp(listen, addresses, passed !== undefined)

  // What gates share, and what outlives the process.
  const store = closing(await openStore(current(), logger))
  const keyUses = closing(store && new SharedKeyUses(store))
  const storage = closing(await openStorage(current(), stateDirectory, logger))

  // The cluster, and how the gate reads from it.
  const cluster = closing(new ClusterClient(current(), endpointEvents(log)))
  const readPins: ReadPins = (query, take) => {
    const headMs = clusterConfig().statusTimeoutMs
    return readLines(cluster, { path: `/pins?${query}`, headers, headMs }, take)
  }
  const readPending = (take: TakeLine) => readPins('filter=pin_queued,pinning', take)
  const { directory = '/var/tmp', spoolBytesMax } = listing
  const onSpoolError = (err: unknown): void => {
    log.warn({ directory, err }, 'could not spool a listing; it passed through without a copy')
  }
  const spoolQuota = closing(new SpoolQuota(directory, spoolBytesMax, onSpoolError))
  const peerCount = await PeerCount.open({
    directory: ledgerDirectory(current().config, stateDirectory),
    log: logger,
  })
  const listings = closing(new Listings(cluster, spoolQuota, peerCount))

  // The promises to encoders, and the outcomes of their pins.
  const ledger = closing(
    openLedger({
      ...{ storage, log: logger, entriesMax: journal.entriesMax },
      cluster: accessCluster({ cluster, headers, config: clusterConfig }),
      timeoutMs: () => clusterConfig().writeTimeoutMs,
      gateLocks: store && new SharedLocks({ store, gateId: storage.gateId }),
      onPeers: store && ((peers) => store.claim(peers)),
      gateMail: store && new SharedMail(store, storage.gateId),
      ...clock,
    }),
  )
  if (store !== undefined) {
    await ledger.identified
    refuseAnothers(store)
  }
  const { queue } = ledger
  const encoderNames = new EncoderNames(storage, logger)
  encoderNames.update(current())
  // After a change back to `refuse`, pins that were accepted before still have to be replayed.
  const isQueueUsed = onOutage === 'journal' || queue.size > 0
  const fallback = closing(
    isQueueUsed ? await openFallback({ queue, cluster, current, headers, log: logger }) : undefined,
  )
  const pendingCounts = new PendingCounts({
    isUnwritten: (holder, cid) => ledger.holdings.places.isUnwritten(holder, cid),
    readPending,
  })
  const onEvent = (event: PinEvent): void => {
    countEvent(event)
    activity.pinEvent(event)
    given.onPinEvent?.(event)
    if (event.result === 'pinned' || event.result === 'recovered') void fallback?.pinned(event.cid)
  }
  const tracker = closing(trackPins({ ...clock, readPending, readPins, log: logger, onEvent }))

  // Metrics and status of all of these, and of each request.
  const activity = new Activity()
  const keyUse = new KeyUse()
  const metrics = openRegistry(version)
  const countEvent = registerTracking(metrics, tracker)
  const endpoints = () => cluster.current.reports
  registerEndpoints(metrics, endpoints)
  registerLog(metrics, log)
  addCounter(metrics, {
    name: 'pinwarden_listings_uncopied_total',
    help: 'Listings that passed through without a copy: the spool quota or the disk was full.',
    read: () => spoolQuota.uncopied,
  })
  if (fallback) registerFallback(metrics, fallback)
  if (store) registerStore(metrics, store)
  const ledgerStatus = async () => ({ ...ledger.report(), ...(await storage.figures()) })
  registerLedger(metrics, ledgerStatus, () => queue.size)
  registerKeyEnds(metrics, () => keyEndsOf({ settings, keyUse }, Date.now()))
  const observe = (line: AccessLine): void => {
    keyUse.observe(line)
    activity.observe(line)
    keyUses?.observe(line)
    given.observe?.(line)
  }

  // The gate, which does not listen yet.
  const phase = new Set(['starting'])
  const obstacles = () => [
    ...phase,
    ...(storage.isWritable ? [] : ['ledger']),
    ...(store?.report.isRefusing === true ? ['store'] : []),
  ]
  const gate = closing(
    await createGate({
      ...{ current, tls: settings.tls, log, metrics, observe, cluster, headers, store },
      ...{ listings, ledger, pendingCounts, tracker, clock },
      onQueued: (cid) => fallback?.accepted(cid),
      isReady: () => obstacles().length === 0 && cluster.current.isAvailable,
    }),
  )
  const { app, connections, replay } = gate
  const isQueueShown = isQueueUsed || queue.rejected.length > 0
  if (isQueueShown) registerQueue(metrics, () => replay.report)

  // The daemon, as commands and the admin listener see it.
  let url: string | null = null
  const daemon: Omit<Opened, 'admin'> = {
    ...{ settings, log, metrics, keyUse, activity, ledger, keyUses, obstacles },
    reloading: {},
    url: () => url,
    requestsInFlight: () => connections.requestsInFlight,
    budgetLeft: (encoder, budget) => gate.budgetLeft(encoder, budget),
    pendingPins: () => tracker.pendingPins(),
    retryQueue: () => {
      replay.retryNow()
    },
    ledgerDisk: storage,
    encoderNames: () => encoderNames.read(),
    ledgerReport: ledgerStatus,
    queueReport: () => (isQueueShown || queue.size > 0 ? replay.report : undefined),
    storeReport: () => store?.report,
    endpoints,
    isClusterUp: () => cluster.probe(),
    apply: (material) => {
      encoderNames.update(current())
      if (cluster.apply(current())) {
        listings.clear()
        fallback?.forgetComparison()
        ledger.settingsChanged()
      }
      store?.take(current().config.store, current().storeSecrets)
      if (material !== undefined && app.server instanceof TlsServer)
        app.server.setSecureContext(material)
    },
  }

  // The public port opens last, when everything that a request needs is open. It closes first:
  // health and metrics answer until its last request has ended.
  const places = registerPlaces(daemon.metrics)
  closing(await openControlSocket(daemon, given.controlSocket, places.control))
  const admin = closing(await openAdminListener(daemon, places.admin))
  url = parts.use(await serveOn({ gate, settings, log, passed })).url
  parts.defer(() => {
    phase.add('stopping')
    // Requests that wait for a pin get their answer now.
    tracker.close()
    gate.stopWaiting()
  })
  phase.delete('starting')
  return { ...daemon, admin: admin?.at }
}
