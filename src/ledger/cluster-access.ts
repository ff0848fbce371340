/** The ledger's access to the cluster, through the daemon's client. */
import type { Answer } from '../cluster/answer-handler.js'
import { Whole } from '../cluster/whole.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { Exchange } from '../cluster/exchange.js'
import { ClusterFault } from '../cluster/faults.js'
import { readObject } from '../cluster/json.js'
import { readLines } from '../cluster/lines.js'
import { readPinStatus } from '../cluster/status-answer.js'
import type { RequestHeaders } from '../http/headers.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import type { ClusterPort, Finished, WriteAnswer } from './cluster-port.js'

export interface ClusterAccess {
  readonly cluster: ClusterClient
  /** Headers of the gate's own requests. */
  readonly headers: RequestHeaders
  /** Read for each request. */
  readonly config: () => ClusterConfig
}

export function accessCluster({ cluster, headers: own, config }: ClusterAccess): ClusterPort {
  const ask = (path: string, timeoutMs: number, headers: RequestHeaders = own) =>
    cluster.current.ask(path, headers, timeoutMs)
  return {
    async read(cid, { leftMs }, headers) {
      const { status, text, dateMs } = await ask(`/allocations/${cid}`, leftMs, headers)
      if (status === 200) return { text, dateMs }
      if (status === 404) return { text: undefined, dateMs }
      throw new ClusterFault('cluster-bad-answer', new Error(`${status}: ${text.trim()}`))
    },
    write: (method, path, { leftMs }) =>
      new Promise<WriteAnswer>((resolve, reject) => {
        const options = { isListing: false, isWhole: true, timeoutMs: leftMs }
        const exchange = new Exchange({ ...options, onEnd: () => undefined, changes: 'all' })
        cluster.ask(exchange, { method, path, headers: own }, (error, answer) => {
          if (error !== null) reject(error)
          else resolve({ status: answer.statusCode, text: textOf(answer) })
        })
      }),
    async isFinished(cid, { leftMs }, headers) {
      const { status, text } = await ask(`/pins/${cid}`, leftMs, headers)
      return status === 200 ? finishedIn(text) : 'unknown'
    },
    readState: (take) => {
      const headMs = config().listTimeoutMs
      return readLines(cluster, { path: '/allocations?filter=pin', headers: own, headMs }, take)
    },
    urls: () => config().endpoints.map(({ url }) => url),
    async peers() {
      const { status, text } = await ask('/id', config().idTimeoutMs)
      const peers = status === 200 ? peersIn(text) : []
      if (peers.length > 0) return peers
      throw new ClusterFault('cluster-bad-answer', new Error(`${status}: ${text.trim()}`))
    },
    isAvailable: () => cluster.current.isAvailable,
    onDisconnect: (call) => {
      cluster.onDisconnect(call)
    },
  }
}

const textOf = ({ body }: Answer): string => (body instanceof Whole ? body.text : '')

/** IDs of the peer that answered, and of those that it sees. */
function peersIn(text: string): readonly string[] {
  const { id, cluster_peers: others } = readObject(text)
  const all: unknown[] = [id, ...(Array.isArray(others) ? (others as unknown[]) : [])]
  return [...new Set(all.filter((peer) => typeof peer === 'string'))]
}

/**
 * Only these states prove that a peer lacks the pin: an error or an unreachable peer proves
 * nothing.
 */
const unfinished: ReadonlySet<string> = new Set(['pin_queued', 'pinning', 'pin_error', 'unpinned'])

/** @param text of a status: one word for each peer */
function finishedIn(text: string): Finished {
  const words = readPinStatus(text).peers.map(({ status }) => status)
  if (words.length === 0) return 'unknown'
  if (words.every((word) => word === 'pinned')) return 'finished'
  return words.every((word) => unfinished.has(word)) ? 'unfinished' : 'unknown'
}
