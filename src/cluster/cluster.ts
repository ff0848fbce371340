/**
 * One cluster and its endpoints: which one a request goes to, and which one next when that fails.
 */
import type { Dispatcher } from 'undici'
import { dateIn, type RequestHeaders } from '../http/headers.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import type { EndpointSecrets } from '../settings/files/secrets.js'
import type { Callback, GoElsewhere } from './answer-handler.js'
import {
  type ClusterRequest,
  Endpoint,
  type EndpointEvents,
  type OnChange,
  type PeerReport,
} from './endpoint.js'
import { Exchange } from './exchange.js'
import { ClusterFault } from './faults.js'
import { badAnswer, readObject } from './json.js'
import { allEmpty } from './lane.js'
import { ListingRelay } from './listing-relay.js'
import type { StreamPool } from './pools.js'
import { type LagChange, PeerLag, type SeenAt } from './peer-lag.js'
import { RecentChanges } from './recent-changes.js'
import { clock } from '../time/clock.js'
import { Whole } from './whole.js'

export interface ClusterEvents {
  readonly onChange: OnChange
  readonly onHungUp: EndpointEvents['onHungUp']
  readonly onLag: (endpoint: string, change: LagChange) => void
  /** An endpoint that is down for another reason now refuses the login of the gate. */
  readonly onRefused: (endpoint: string) => void
}

/** One configuration of the cluster. */
export class Cluster {
  readonly endpoints: readonly Endpoint[]
  private readonly changes = new RecentChanges()
  private readonly lag: PeerLag
  /** The endpoint for all writes, and for the reads before them. */
  private writer: Endpoint
  private turn = 0

  /** @param secrets by the index of the endpoint they belong to */
  constructor(
    config: ClusterConfig,
    secrets: readonly EndpointSecrets[],
    { onChange, onHungUp, onLag, onRefused }: ClusterEvents,
  ) {
    this.endpoints = config.endpoints.map((endpoint, index) => {
      const own = new Endpoint(config, endpoint, secrets[index] ?? {}, {
        onHungUp,
        onRefused: () => {
          onRefused(own.name)
        },
        onChange: (change) => {
          const { isAvailable } = this
          if (change.state === 'down' && isAvailable) own.moveReadsOn()
          if (change.state === 'up' && this.hasSeveral) this.lag.returned()
          onChange({ ...change, endpoint: own.name, isClusterAvailable: isAvailable })
        },
      })
      return own
    })
    const [first] = this.endpoints
    if (first === undefined) throw new Error('no cluster endpoint is configured')
    this.writer = first
    this.lag = new PeerLag({
      available: () => this.endpoints.filter(({ health }) => health.isAvailable).map(nameOf),
      read: (name, cid) => this.writtenAt(name, cid),
      onChange: onLag,
      ...clock,
    })
  }

  /** The state of each endpoint, and how far it is behind the others. */
  get reports(): readonly PeerReport[] {
    return this.endpoints.map(({ name, report }) => ({ ...report, lagMs: this.lag.lagMs(name) }))
  }

  /** Whether any endpoint is available. */
  get isAvailable(): boolean {
    return this.endpoints.some(({ health }) => health.isAvailable)
  }

  /**
   * Runs one exchange, bounded in number and time; calls back once. Sends nothing when no time is
   * left.
   */
  request(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const { timeoutMs } = exchange
    const endpoint = this.choose(request, undefined)
    if (endpoint === undefined || timeoutMs <= 0) {
      const reason = endpoint === undefined ? 'cluster-down' : 'cluster-timeout'
      callback(new ClusterFault(reason), undefined as never)
      exchange.end()
      return
    }
    const { method, path } = request
    const startMs = performance.now()
    if (this.hasSeveral && method !== 'GET') this.changes.note(path)
    this.note(exchange, endpoint)
    const goElsewhere: GoElsewhere = (fault, wasSent) => {
      const leftMs = timeoutMs - (performance.now() - startMs)
      if (leftMs <= 0 || (wasSent && method !== 'GET')) return false
      const next = this.nextAfter(endpoint, request, fault)
      if (next === undefined) return false
      this.note(exchange, next)
      next.request({ exchange, request, timeoutMs: leftMs, isRepeated: true }, never, done)
      return true
    }
    const done: Callback = (error, answer) => {
      if (this.hasSeveral && method !== 'GET' && error === null && answer.statusCode === 200)
        this.lag.wrote(method, path)
      callback(error, answer)
    }
    endpoint.request({ exchange, request, timeoutMs, isRepeated: false }, goElsewhere, done)
  }

  /**
   * A failed read goes to another endpoint once; a write only if no part of it was sent. A request
   * that a closing connection swallowed is sent once more, also to the same endpoint.
   */
  private nextAfter(endpoint: Endpoint, request: ClusterRequest, { reason }: ClusterFault) {
    const isSwallowed = reason === 'cluster-hung-up' && endpoint.health.isAvailable
    return this.choose(request, endpoint) ?? (isSwallowed ? endpoint : undefined)
  }

  private note(exchange: Exchange, endpoint: Endpoint): void {
    if (this.hasSeveral) exchange.endpoint = endpoint.name
  }

  /**
   * Begins a listing whose chunks go to an undici handler, which is cheaper than a stream. A chunk
   * is the socket's memory, valid only during the call. A listing that fails before its first byte
   * goes to another endpoint once.
   */
  dispatchListing(
    path: string,
    headers: RequestHeaders,
    handler: Dispatcher.DispatchHandler,
    of: StreamPool,
  ): void {
    const request = { method: 'GET', path, headers } as const
    new ListingRelay(handler, path, headers, of, (not) => this.choose(request, not)).start()
  }

  /**
   * Sends a request of the gate's own; the answer is one value, or an error of the cluster's
   * handlers.
   * @throws ClusterFault
   */
  ask(path: string, headers: RequestHeaders, timeoutMs: number): Promise<WholeReply> {
    const exchange = new Exchange({ isListing: false, isWhole: true, timeoutMs, onEnd: nothing })
    return wholeReply((callback) => {
      this.request(exchange, { method: 'GET', path, headers }, callback)
    })
  }

  /** @throws ClusterFault */
  private async writtenAt(name: string, cid: string): Promise<SeenAt> {
    const endpoint = this.endpoints.find((endpoint) => endpoint.name === name)
    const exchange = new Exchange({
      ...{ isListing: false, isWhole: true, timeoutMs: lagTimeoutMs, onEnd: nothing },
    })
    const request = { method: 'GET', path: `/allocations/${cid}`, headers: {} } as const
    const { status, text } = await wholeReply((callback) => {
      const asking = { exchange, request, timeoutMs: lagTimeoutMs, isRepeated: false }
      endpoint?.request(asking, never, callback)
    })
    if (status === 404) return undefined
    const { timestamp } = readObject(text)
    const ms = typeof timestamp === 'string' ? Date.parse(timestamp) : NaN
    if (status === 200 && !Number.isNaN(ms)) return ms
    throw badAnswer('no record of a pin')
  }

  /** Checks now whether any endpoint answers. */
  async probe(): Promise<boolean> {
    const answers = this.endpoints.map(async (endpoint) => {
      if (!(await endpoint.probe())) throw new Error('no answer')
      return true
    })
    return Promise.any(answers).catch(() => false)
  }

  /** Lets exchanges end, also those that wait for a place, then closes the connections. */
  async retire(): Promise<void> {
    this.lag.close()
    await allEmpty(this.endpoints.flatMap(({ lanes }) => Object.values(lanes)))
    await Promise.all(this.endpoints.map((endpoint) => endpoint.retire()))
  }

  /** Closes every connection, also busy ones. */
  async close(): Promise<void> {
    this.lag.close()
    await Promise.all(this.endpoints.map((endpoint) => endpoint.close()))
  }

  private get hasSeveral(): boolean {
    return this.endpoints.length > 1
  }

  /**
   * @param not an endpoint that failed just now
   * @returns undefined when no endpoint is available
   */
  private choose({ method, path }: ClusterRequest, not: Endpoint | undefined) {
    if (!this.hasSeveral) return not === undefined ? availableOne(this.writer) : undefined
    // A write reaches the peers of a cluster one after another, so one endpoint takes all writes.
    const isBound = method !== 'GET' || path.startsWith('/allocations') || this.changes.has(path)
    if (!isBound) return this.leastLoaded(not)
    if (this.writer !== not && this.writer.health.isAvailable) return this.writer
    const other = this.leastLoaded(not)
    // One failure does not replace the writer.
    if (other !== undefined && !this.writer.health.isAvailable) this.writer = other
    return other
  }

  /**
   * Rotates among endpoints of the same load. A lagging endpoint gives old answers, and is only
   * used if no other is available.
   */
  private leastLoaded(not: Endpoint | undefined): Endpoint | undefined {
    return (
      this.leastLoadedOf(not, ({ name }) => !this.lag.isBehind(name)) ?? this.leastLoadedOf(not)
    )
  }

  private leastLoadedOf(
    not: Endpoint | undefined,
    suits: (endpoint: Endpoint) => boolean = () => true,
  ): Endpoint | undefined {
    const { endpoints } = this
    this.turn = (this.turn + 1) % endpoints.length
    let best: Endpoint | undefined
    let bestLoad = Infinity
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = endpoints[(this.turn + index) % endpoints.length]
      if (endpoint === undefined || endpoint === not || !endpoint.health.isAvailable) continue
      if (!suits(endpoint)) continue
      const load = (endpoint.load + 1) / endpoint.health.weight
      if (load >= bestLoad) continue
      best = endpoint
      bestLoad = load
    }
    return best
  }
}

/** The answer to a request of the gate's own. */
export interface WholeReply {
  readonly status: number
  readonly text: string
  /** The cluster's clock, in milliseconds since the epoch; undefined: the answer had no date. */
  readonly dateMs: number | undefined
}

/**
 * Reads the answer to a request of the gate's own.
 * @throws ClusterFault
 */
function wholeReply(ask: (callback: Callback) => void): Promise<WholeReply> {
  return new Promise((resolve, reject) => {
    ask((error, answer) => {
      if (error !== null) reject(error)
      else if (answer.body instanceof Whole)
        resolve({
          status: answer.statusCode,
          text: answer.body.text,
          dateMs: dateIn(answer.headers),
        })
      else reject(new ClusterFault('cluster-bad-answer'))
    })
  })
}

const nameOf = ({ name }: Endpoint): string => name

/** Time limit for reading a peer's state. */
const lagTimeoutMs = 5000

const availableOne = (endpoint: Endpoint): Endpoint | undefined =>
  endpoint.health.isAvailable ? endpoint : undefined

const never: GoElsewhere = () => false

const nothing = () => undefined
