/** Opens the fallback where one is wanted: after a look at whose Kubo it is. */
import type { RequestHeaders } from '../http/headers.js'
import { readKuboIds } from '../fallback/kubo-ids.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { Fallback } from '../fallback/fallback.js'
import { answerMs, Kubo } from '../fallback/kubo.js'
import type { Journal } from '../journal/journal.js'
import { later } from '../time/later.js'
import { ConfigError } from '../settings/problems.js'
import type { Snapshot } from '../settings/snapshot.js'
import type { Logger } from '../log/logger.js'

export interface FallbackOpening {
  readonly journal: Journal
  readonly cluster: ClusterClient
  readonly current: () => Snapshot
  /** For the cluster. */
  readonly headers: RequestHeaders
  readonly log: Logger
}

/** @throws ConfigError when it is a Kubo that the cluster uses */
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
    ...{ kubo: new Kubo(settings.kubo), atOnceMax, release, log, later },
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
