/** The gate's connections to one REST API, in separate pools: a listing never delays a pin. */
import type { Socket } from 'node:net'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import type { ClusterConfig } from '../settings/schema/schema.js'
import { gatheringWrites, preparing } from './prepared-socket.js'
import { passingOverContinue } from './continue.js'
import { faultOf } from './faults.js'
import { readCoalescingConnector } from './read-coalescing-socket.js'

/** Address and credential of one REST API. */
export interface ApiAddress {
  readonly origin: string
  readonly connect: { readonly ca?: string; readonly socketPath?: string }
  /** Header for the cluster, if it asks for one. */
  readonly authorization: string | undefined
}

/** Connections by kind of work: a hanging kind delays no other. */
export interface Pools {
  /** Writes of pins' records. */
  readonly state: Pool
  /** Reads of pins' records, pipelined. */
  readonly records: Pool
  /** Statuses and `/id`, which wait for Kubo. */
  readonly kubo: Pool
  /** Recovering everything. */
  readonly listings: Pool
  /** Whole listings, which fill the gate's cache. */
  readonly cacheFills: Pool
  /** Listings of operations. */
  readonly operations: Pool
  /** The gate's own reads. */
  readonly own: Pool
  /** One connection for each request, which no earlier request can have broken. */
  readonly fresh: Pool
}

/** An encoded answer counts as bad, as clients would not learn of its coding. */
export const wantsPlain = { 'accept-encoding': 'identity' } as const

export type StreamPool = 'cacheFills' | 'operations' | 'own'

/** Pin tracking, counts, walks: each reads sequentially. */
const ownConnections = 8

/**
 * The cluster reads a record from its state, without Kubo, so no read waits long for the one before
 * it, and a busy connection costs half of an idle one. A closing connection fails its first read;
 * undici sends the others again on a new one.
 */
const recordConnections = 2
const recordsAhead = 32
export const recordsMax = recordConnections * recordsAhead

/**
 * Writes, which cannot be sent again, get connections that no usual server or proxy has begun to
 * close as idle: the quickest do so after 5 s.
 */
const writesKeptMs = 2000

const keptFor = (ms: number) => ({ keepAliveTimeout: ms, keepAliveMaxTimeout: ms })

/** By this code undici fails no request. */
const outOfStep = Object.assign(new Error('answers out of step'), { code: 'UND_ERR_INFO' })

/** The exchange's own clock runs until the whole answer is there. */
const ofWhole = { bodyTimeout: 0 }

export interface OpenPools {
  readonly pools: Pools
  /** Ends the connections of records; undici sends the reads in flight again on new ones. */
  readonly endRecordConnections: () => void
}

/** @param onHungUp called when the other side closed a connection */
export function openPools(
  config: ClusterConfig,
  { origin, connect: at }: ApiAddress,
  onHungUp: () => void,
): OpenPools {
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
      // The cluster closes idle connections after 120 s; the gate closes its own earlier, so no
      // request meets that.
      ...keptFor(30_000),
      ...special,
    })
    whenHungUp(pool, onHungUp)
    return pool
  }
  const recordSockets = new Set<Socket>()
  const note = (socket: Socket): void => {
    recordSockets.add(socket)
    socket.once('close', () => recordSockets.delete(socket))
  }
  const isPlainTcp = origin.startsWith('http:') && at.socketPath === undefined
  const coalescingReads = isPlainTcp
    ? { connect: passingOverContinue(readCoalescingConnector(connectTimeoutMs)) }
    : {}
  const pools = {
    state: open(connections, { ...ofWhole, ...keptFor(writesKeptMs) }),
    kubo: open(connections, keptFor(writesKeptMs)),
    records: open(recordConnections, {
      ...ofWhole,
      pipelining: recordsAhead,
      connect: preparing(gatheringWrites(connect), note),
    }),
    listings: open(listingConnections),
    cacheFills: open(listingConnections, coalescingReads),
    operations: open(listingConnections),
    own: open(ownConnections, coalescingReads),
    // Callers already hold places.
    fresh: open(null, { pipelining: 0 }),
  }
  return {
    pools,
    endRecordConnections: () => {
      for (const socket of recordSockets) socket.destroy(outOfStep)
    },
  }
}

/** HTTP/1.1 only: the cluster speaks it, and it tells a whole answer from a cut one. */
export function connectorTo(
  at: ApiAddress['connect'],
  timeoutMs: number,
): buildConnector.connector {
  return passingOverContinue(buildConnector({ timeout: timeoutMs, allowH2: false, ...at }))
}

/** Calls back when the other side closed a connection, even an idle one. */
export function whenHungUp(connections: Dispatcher, call: () => void): void {
  connections.on('disconnect', (_origin, _targets, error) => {
    if (faultOf(error).reason === 'cluster-hung-up') call()
  })
}
