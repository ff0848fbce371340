/** Our connections to one REST API, in pools of their own: a listing never keeps a pin waiting. */
import { type Dispatcher, Pool } from 'undici'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { faultOf } from './faults.js'
import { readCoalescingConnector } from './read-coalescing-socket.js'

/** Where one REST API is, and who we are to it. */
export interface ApiAddress {
  readonly origin: string
  readonly connect: { readonly ca?: string; readonly socketPath?: string }
  /** Header for the cluster, if it asks for one. */
  readonly authorization: string | undefined
}

export interface Pools {
  readonly requests: Pool
  /** Reads of pins' records, one behind the other. */
  readonly records: Pool
  readonly listings: Pool
  /** Listings that fill the gate's cache. */
  readonly cacheFills: Pool
}

/**
 * A record is read from the cluster's state, without Kubo: nobody waits long for who is before him
 * on a connection, and one that is busy already costs half of what an idle one does. What ends a
 * connection hits the first of them; undici asks for the others once more on a new one.
 */
const recordConnections = 2
const recordsAhead = 32

/** @param onHungUp the other side ended one of them */
export function openPools(
  config: ClusterConfig,
  { origin, connect: at }: ApiAddress,
  onHungUp: () => void,
): Pools {
  const { connections, listingConnections, connectTimeoutMs, idleTimeoutMs } = config
  const connect = { timeout: connectTimeoutMs, ...at }
  const open = (connections: number, special: Partial<Pool.Options> = {}): Pool => {
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
  const coalescingReads = isPlainTcp ? { connect: readCoalescingConnector(connectTimeoutMs) } : {}
  return {
    requests: open(connections),
    records: open(recordConnections, { pipelining: recordsAhead }),
    listings: open(listingConnections),
    cacheFills: open(listingConnections, coalescingReads),
  }
}

/** Calls when the other side ended a connection, be it an idle one. */
export function whenHungUp(connections: Dispatcher, call: () => void): void {
  connections.on('disconnect', (_origin, _targets, error) => {
    if (faultOf(error).reason === 'cluster-hung-up') call()
  })
}
