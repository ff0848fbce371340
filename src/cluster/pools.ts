/** Our connections to one REST API, in pools of their own: a listing never keeps a pin waiting. */
import { buildConnector, type Dispatcher, Pool } from 'undici'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { passingOverContinue } from './continue.js'
import { faultOf } from './faults.js'
import { readCoalescingConnector } from './read-coalescing-socket.js'

/** Where one REST API is, and who we are to it. */
export interface ApiAddress {
  readonly origin: string
  readonly connect: { readonly ca?: string; readonly socketPath?: string }
  /** Header for the cluster, if it asks for one. */
  readonly authorization: string | undefined
}

/** Connections by what the cluster has to do: what hangs holds up nothing else. */
export interface Pools {
  /** Writes of pins' records. */
  readonly state: Pool
  /** Reads of pins' records, one behind the other. */
  readonly records: Pool
  /** Statuses and `/id`, which wait for Kubo. */
  readonly kubo: Pool
  /** Recovering everything. */
  readonly listings: Pool
  /** Whole listings, which fill the gate's cache. */
  readonly cacheFills: Pool
  /** Listings of operations. */
  readonly operations: Pool
  /** What the gate reads for itself. */
  readonly own: Pool
  /** Each connection for one question, which nothing that was asked before can have ended. */
  readonly fresh: Pool
}

/** What is coded all the same is a bad answer: clients would not be told of it. */
export const wantsPlain = { 'accept-encoding': 'identity' } as const

export type StreamPool = 'cacheFills' | 'operations' | 'own'

/** Pin tracking, counts, walks: each reads one after the other. */
const ownConnections = 8

/**
 * A record is read from the cluster's state, without Kubo: no read waits long for the one before it
 * on a connection, and one that is busy already costs half of what an idle one does. What ends a
 * connection hits the first of them; undici asks for the others once more on a new one.
 */
const recordConnections = 2
const recordsAhead = 32
export const recordsMax = recordConnections * recordsAhead

/** @param onHungUp the other side ended one of them */
export function openPools(
  config: ClusterConfig,
  { origin, connect: at }: ApiAddress,
  onHungUp: () => void,
): Pools {
  const { connections, listingConnections, connectTimeoutMs, idleTimeoutMs } = config
  const connect = connectorTo(at, connectTimeoutMs)
  const open = (connections: number | null, special: Partial<Pool.Options> = {}): Pool => {
    const pool = new Pool(origin, {
      connections,
      pipelining: 1,
      connect,
      // The exchange's own clock runs from the start of the wait and is finer than undici's.
      headersTimeout: 0,
      bodyTimeout: idleTimeoutMs,
      // The cluster closes idle connections after 120 s; ours go first, so no request meets that.
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 60_000,
      ...special,
    })
    whenHungUp(pool, onHungUp)
    return pool
  }
  const isPlainTcp = origin.startsWith('http:') && at.socketPath === undefined
  const coalescingReads = isPlainTcp
    ? { connect: passingOverContinue(readCoalescingConnector(connectTimeoutMs)) }
    : {}
  return {
    state: open(connections),
    kubo: open(connections),
    records: open(recordConnections, { pipelining: recordsAhead }),
    listings: open(listingConnections),
    cacheFills: open(listingConnections, coalescingReads),
    operations: open(listingConnections),
    own: open(ownConnections, coalescingReads),
    // Those who ask hold places already.
    fresh: open(null, { pipelining: 0 }),
  }
}

/** HTTP/1.1 only: what the cluster speaks, and what tells a whole answer from one cut short. */
export function connectorTo(
  at: ApiAddress['connect'],
  timeoutMs: number,
): buildConnector.connector {
  return passingOverContinue(buildConnector({ timeout: timeoutMs, allowH2: false, ...at }))
}

/** Calls when the other side ended a connection, be it an idle one. */
export function whenHungUp(connections: Dispatcher, call: () => void): void {
  connections.on('disconnect', (_origin, _targets, error) => {
    if (faultOf(error).reason === 'cluster-hung-up') call()
  })
}
