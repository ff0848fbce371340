/** What becomes of the pins that pass through the gate, put together: asked, told, logged. */
import { readLines } from '../cluster/lines.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { encodeQuery, fittingCids } from '../cluster/query.js'
import type { Later } from '../time/later.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { Follower } from './follower.js'
import type { PinNews } from './followed.js'
import { plainWords } from './plain-words.js'
import type { Logger } from '../log/logger.js'

export interface ProgressParts {
  readonly cluster: ClusterClient
  /** Asked for each question. */
  readonly config: () => ClusterConfig
  readonly userAgent: string
  /** For the log. */
  readonly log: Logger
  /** For metrics and status page. */
  readonly onNews: (news: PinNews) => void
  readonly later?: Later
  readonly now?: () => number
}

export function followPins({
  cluster,
  config,
  userAgent,
  log,
  onNews,
  ...clock
}: ProgressParts): Follower {
  const headers = { accept: 'application/json', 'user-agent': userAgent }
  const read = (query: string, take: (line: Buffer) => void) => {
    const headMs = config().statusTimeoutMs
    return readLines(cluster, { path: `/pins?${query}`, headers, headMs }, take)
  }
  return new Follower({
    readQueue: (take) => read('filter=pin_queued,pinning', take),
    readStatus: async (cids, take) => {
      for (let left = cids; left.length > 0;) {
        const some = fittingCids(left)
        await read(encodeQuery([['cids', some.join(',')]]), take)
        left = left.slice(some.length)
      }
    },
    onNews: (news) => {
      tellOf(news, log)
      onNews(news)
    },
    onBug: (err) => {
      log('error', { err }, 'pins could not be followed')
    },
    ...clock,
  })
}

function tellOf({ cid, encoder, result, ms, error }: PinNews, log: Logger): void {
  const afterMs = Math.round(ms)
  if (result === 'failed') {
    const why = plainWords(error)
    log('warn', { cid, encoder, afterMs, why }, 'a pin failed: the cluster will try it again')
  } else if (result === 'recovered')
    log('info', { cid, encoder, afterMs }, 'a pin that had failed is pinned')
  else if (result === 'given-up')
    log('warn', { cid, encoder, afterMs }, 'a pin is still not settled: it is followed no more')
}
