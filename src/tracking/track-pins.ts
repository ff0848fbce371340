/** Puts pin tracking together: reads states from the cluster, emits events and logs them. */
import { readLines } from '../cluster/lines.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { encodeQuery, fittingCids } from '../cluster/query.js'
import type { Timers } from '../time/clock.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { PinTracker } from './tracker.js'
import type { PinEvent } from './tracked-pin.js'
import { plainWords } from './plain-words.js'
import type { Logger } from '../log/logger.js'

export interface TrackingParts extends Timers {
  readonly cluster: ClusterClient
  /** Called for each request. */
  readonly config: () => ClusterConfig
  readonly userAgent: string
  /** For the log. */
  readonly log: Logger
  /** For metrics and status page. */
  readonly onEvent: (event: PinEvent) => void
}

export function trackPins({
  cluster,
  config,
  userAgent,
  log,
  onEvent,
  ...clock
}: TrackingParts): PinTracker {
  const headers = { accept: 'application/json', 'user-agent': userAgent }
  const read = (query: string, take: (line: Buffer) => void) => {
    const headMs = config().statusTimeoutMs
    return readLines(cluster, { path: `/pins?${query}`, headers, headMs }, take)
  }
  return new PinTracker({
    readQueue: (take) => read('filter=pin_queued,pinning', take),
    readStatus: async (cids, take) => {
      for (let left = cids; left.length > 0;) {
        const some = fittingCids(left)
        await read(encodeQuery([['cids', some.join(',')]]), take)
        left = left.slice(some.length)
      }
    },
    onEvent: (event) => {
      logEvent(event, log)
      onEvent(event)
    },
    onError: (err) => {
      log('error', { err }, 'pin tracking failed')
    },
    ...clock,
  })
}

function logEvent({ cid, encoder, result, ms, error }: PinEvent, log: Logger): void {
  const afterMs = Math.round(ms)
  if (result === 'failed') {
    const why = plainWords(error)
    log('warn', { cid, encoder, afterMs, why }, 'a pin failed: the cluster will try it again')
  } else if (result === 'recovered')
    log('info', { cid, encoder, afterMs }, 'a pin that had failed is pinned now')
  else if (result === 'given-up')
    log('warn', { cid, encoder, afterMs }, 'gave up tracking a pin that is still pending')
}
