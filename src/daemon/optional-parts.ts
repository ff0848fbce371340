/** Opens the parts that the settings may leave out: store, journal, fallback, control socket. */
import { openControl, type OpenControl } from '../admin/control.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { Fallback } from '../fallback/fallback.js'
import { answerMs, Kubo } from '../fallback/kubo.js'
import { readKuboIds } from '../fallback/kubo-ids.js'
import type { RequestHeaders } from '../http/headers.js'
import { readJournal } from '../journal/journal-file.js'
import { Journal } from '../journal/journal.js'
import type { Logger } from '../log/logger.js'
import { ConfigError } from '../settings/problems.js'
import type { Config } from '../settings/schema/schema.js'
import type { Snapshot } from '../settings/snapshot.js'
import { Store } from '../store/store.js'
import { setTimer } from '../time/set-timer.js'
import type { Daemon } from './daemon.js'

/** What several gates share, where the settings name it. */
export async function openStore(
  { config, storeSecrets: secrets }: Snapshot,
  log: Logger,
): Promise<Store | undefined> {
  const { redis } = config.store
  if (redis === undefined) return undefined
  return Store.open({ settings: { ...config.store, redis }, secrets, log })
}

/**
 * The journal, also where only an earlier run has left pins in one.
 *
 * @throws when it is wanted and cannot be had
 */
export async function openJournal(
  { onOutage, journal: { directory, entriesMax } }: Config,
  log: Logger,
): Promise<Journal | undefined> {
  const isWanted = onOutage === 'journal' || (await isLeft(directory))
  return isWanted ? Journal.open({ directory, entriesMax, tell: log }) : undefined
}

/** An operator who goes back to refusing still wants what was accepted before. */
async function isLeft(directory: string): Promise<boolean> {
  // Where it cannot be read, this daemon has not written it.
  const text = await readJournal(directory).catch(() => undefined)
  return text !== undefined && text !== ''
}

export interface FallbackOpening {
  readonly journal: Journal
  readonly cluster: ClusterClient
  readonly current: () => Snapshot
  /** For the cluster. */
  readonly headers: RequestHeaders
  readonly log: Logger
}

/**
 * The fallback, after a look at whose Kubo it is.
 *
 * @throws ConfigError when the cluster uses it
 */
export async function openFallback({
  journal,
  cluster,
  current,
  headers,
  log,
}: FallbackOpening): Promise<Fallback | undefined> {
  const { fallback: settings } = current().config
  if (settings === undefined) return undefined
  const { atOnceMax, release } = settings.kubo
  const fallback = new Fallback({
    ...{ kubo: new Kubo(settings.kubo), atOnceMax, release, log, setTimer },
    clusterKubos: () => readKuboIds(cluster, headers, answerMs),
    isWaiting: (cid) => journal.has(cid),
    now: () => performance.now(),
  })
  const comparison = await fallback.compare()
  if (comparison === 'the same') {
    await fallback.close()
    throw new ConfigError([sameKubo])
  }
  if (comparison === 'unknown') log('warn', {}, unknownKubo)
  for (const { cid } of journal.heads()) fallback.accepted(cid)
  return fallback
}

const sameKubo = {
  path: 'fallback.kubo.url',
  found: 'a Kubo that the cluster uses',
  expected: "another one: pins there would be the cluster's own, and it is as far away",
}

const unknownKubo =
  'the fallback is not used before it is known that it is no Kubo of the cluster: ' +
  'one of the two does not answer'

type Controlled = Pick<Daemon, 'settings' | 'leases' | 'journal' | 'log'>

/**
 * The socket through which commands that change pins ask the daemon to do it.
 *
 * @param socket its path; undefined: there is none, and those commands say so
 */
export async function openControlSocket(
  { settings, leases, journal, log }: Controlled,
  socket: string | undefined,
): Promise<OpenControl | undefined> {
  if (socket === undefined) return undefined
  return openControl({ socket, current: settings.current, leases, journal, log })
}
