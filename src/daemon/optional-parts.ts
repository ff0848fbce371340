/** Opens the parts that the settings may leave out: store, journal, fallback, control socket. */
import type { AdminPlaces } from '../admin/admin-listener.js'
import { openControl, type OpenControl } from '../admin/control.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { Fallback } from '../fallback/fallback.js'
import { answerMs, Kubo, readKuboIds } from '../fallback/kubo.js'
import type { RequestHeaders } from '../http/headers.js'
import { lastWritesDirectory, ledgerDirectory } from '../ledger/ledger-directory.js'
import type { Queue } from '../ledger/queue.js'
import { type LedgerDisk, openLedgerDisk, openLedgerMemory } from '../ledger/storage/ledger-disk.js'
import { LedgerFault } from '../ledger/storage/ledger-storage.js'
import { takeOver } from '../ledger/storage/takeover.js'
import type { Logger } from '../log/logger.js'
import { ConfigError } from '../settings/problems.js'
import type { Snapshot } from '../settings/snapshot.js'
import { Store } from '../store/store.js'
import { clock } from '../time/clock.js'
import type { Daemon } from './daemon.js'

/** The store of several gates, where the settings name one. */
export async function openStore(
  { config, storeSecrets: secrets }: Snapshot,
  log: Logger,
): Promise<Store | undefined> {
  const { redis } = config.store
  if (redis === undefined) return undefined
  return Store.open({ settings: { ...config.store, redis }, secrets, log })
}

/**
 * Resolves once the cluster has reported its peer IDs. While cluster or store is down, the gate
 * does not know which cluster owns the namespace: it shares nothing, and learns it later.
 * @throws ConfigError when another cluster owns it
 */
export function refuseAnothers(store: Store): void {
  if (store.isAnothers) throw new ConfigError([anothersNamespace])
}

const anothersNamespace = {
  path: 'store.namespace',
  found: 'a namespace that belongs to another cluster',
  expected: 'a separate one for each cluster: otherwise they would share budgets, locks and leases',
}

/**
 * The ledger on disk, or in memory where neither settings nor systemd name a directory: its
 * promises then end with the process.
 * @throws when the directory cannot be used, or another daemon has locked it
 */
export async function openStorage(
  { config, keyring }: Snapshot,
  stateDirectory: string | undefined,
  log: Logger,
): Promise<LedgerDisk> {
  const directory = ledgerDirectory(config, stateDirectory)
  if (directory !== undefined) {
    const open = () => openLedgerDisk({ directory, log })
    try {
      const storage = await open()
      const writesDirectory = lastWritesDirectory(config, stateDirectory)
      if (!(await takesOver(storage, writesDirectory, { config, keyring }, log))) return storage
      await storage.close()
      return await open()
    } catch (error) {
      throw new LedgerFault(error instanceof Error ? error.message : String(error))
    }
  }
  log('info', {}, 'opened the ledger in memory only: ledger.directory is not set')
  return openLedgerMemory(log)
}

/**
 * Takes over the files of an older release.
 * @returns whether it took over anything
 */
async function takesOver(
  storage: LedgerDisk,
  writesDirectory: string | undefined,
  { config, keyring }: Pick<Snapshot, 'config' | 'keyring'>,
  log: Logger,
): Promise<boolean> {
  try {
    const { entries, rows } = await takeOver({
      ...{ storage, log, now: Date.now, lastWritesDirectory: writesDirectory },
      journalDirectory: config.journal.directory,
      cluster: config.cluster.endpoints.map(({ url }) => url),
      keyOf: (name, keyId) => {
        const encoder = keyring.encoder(name)
        const key = config.encoders[name]?.keys.find(({ id }) => id === keyId)
        return encoder && key && { holder: encoder.leaseId, keyDigest: key.sha256 }
      },
    })
    return rows + entries.length > 0
  } catch (err) {
    // The next start tries again; until then the gate serves requests that do not need the disk.
    if (!(err instanceof LedgerFault)) throw err
    log(
      'error',
      { directory: storage.directory, err },
      'could not take over the files of an older release yet',
    )
    return false
  }
}

export interface FallbackOpening {
  readonly queue: Queue
  readonly cluster: ClusterClient
  readonly current: () => Snapshot
  /** For the cluster. */
  readonly headers: RequestHeaders
  readonly log: Logger
}

/**
 * Opens the fallback, after a check whose Kubo it is.
 * @throws ConfigError when the cluster uses it
 */
export async function openFallback({
  queue,
  cluster,
  current,
  headers,
  log,
}: FallbackOpening): Promise<Fallback | undefined> {
  const { fallback: settings } = current().config
  if (settings === undefined) return undefined
  const { atOnceMax, release } = settings.kubo
  const fallback = new Fallback({
    ...{ kubo: new Kubo(settings.kubo), atOnceMax, release, log, ...clock },
    clusterKubos: () => readKuboIds(cluster, headers, answerMs),
    isWaiting: (cid) => queue.has(cid),
  })
  const comparison = await fallback.compare()
  if (comparison === 'the same') {
    await fallback.close()
    throw new ConfigError([sameKubo])
  }
  if (comparison === 'unknown') log('warn', {}, unknownKubo)
  for (const { cid } of queue.heads()) fallback.accepted(cid)
  return fallback
}

const sameKubo = {
  path: 'fallback.kubo.url',
  found: 'a Kubo that the cluster uses',
  expected: "another one: this one already has the cluster's pins, and is down when the cluster is",
}

const unknownKubo = 'could not tell whether the fallback is a Kubo of the cluster; not used yet'

type Controlled = Pick<
  Daemon,
  | 'settings'
  | 'ledger'
  | 'retryQueue'
  | 'ledgerDisk'
  | 'encoderNames'
  | 'obstacles'
  | 'reloading'
  | 'log'
  | 'url'
>

/**
 * The control socket, through which commands reach the daemon.
 * @param socket its path; undefined: there is none, and those commands say so
 */
export async function openControlSocket(
  { settings, obstacles, reloading, url, ...parts }: Controlled,
  socket: string | undefined,
  places: AdminPlaces,
): Promise<OpenControl | undefined> {
  if (socket === undefined) return undefined
  const isStopping = () => obstacles().includes('stopping')
  const reload = () => reloading.now?.('pinwarden reload')
  const { current, state } = settings
  const { gateId } = parts.ledgerDisk
  const identity = () => ({ file: state.file, url: url(), gateId })
  return openControl({ ...{ socket, places, current, identity, isStopping, reload }, ...parts })
}
