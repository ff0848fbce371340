/** One REST API of the cluster: the gate's connections to it, and its health. */
import type { Dispatcher, Pool } from 'undici'
import { type AnswerHeaders, dateIn, type RequestHeaders } from '../http/headers.js'
import { KeyedCounter } from '../collections/keyed-counter.js'
import { UnorderedList } from '../collections/unordered-list.js'
import { CircuitBreaker, type HealthChange, type HealthState } from '../health/circuit-breaker.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import type { EndpointSecrets } from '../settings/files/secrets.js'
import { clock } from '../time/clock.js'
import { AnswerHandler, type Callback, type GoElsewhere } from './answer-handler.js'
import type { Exchange } from './exchange.js'
import { ClusterFault, faultOf, type FaultReason } from './faults.js'
import { openPools, type Pools, recordsMax, type StreamPool, wantsPlain } from './pools.js'
import { HealthProbe } from './health-probe.js'
import { Lane } from './lane.js'
import { aboutAnother, cidIn } from './whole.js'

export type EndpointConfig = ClusterConfig['endpoints'][number]

/** A request to the cluster. */
export interface ClusterRequest {
  readonly method: Dispatcher.HttpMethod
  readonly path: string
  readonly headers: RequestHeaders
}

export interface Asking {
  readonly exchange: Exchange
  readonly request: ClusterRequest
  /** Remaining time of the exchange. */
  readonly timeoutMs: number
  /** Whether the request failed before: then it gets an unused connection. */
  readonly isRepeated: boolean
}

/** State and totals of an endpoint. */
export interface EndpointReport {
  readonly name: string
  readonly origin: string
  readonly state: HealthState
  /** How long the state has lasted. */
  readonly stateMs: number
  /** The cluster's clock minus that of this host; 0 while unknown. */
  readonly clockAheadMs: number
  /** Why it is not up. */
  readonly reason: FaultReason | 'health-check' | undefined
  /** Exchanges in flight. */
  readonly load: number
  readonly answers: number
  /** Sum over all answers, each up to its head. */
  readonly answerMs: number
  readonly faults: ReadonlyMap<FaultReason, number>
}

/** The same, compared with the other endpoints of its cluster. */
export interface PeerReport extends EndpointReport {
  /** How long the endpoint has lacked what another one has; 0: it keeps up. */
  readonly lagMs: number
}

/** Called when an endpoint changes its state. */
export type OnChange = (change: EndpointChange) => void

export interface EndpointChange extends HealthChange<FaultReason> {
  readonly endpoint: string
  /** Whether any endpoint of the cluster is available. */
  readonly isClusterAvailable: boolean
}

export interface EndpointEvents {
  readonly onChange: (change: HealthChange<FaultReason>) => void
  /** The endpoint closed a connection: it may have been down for a moment. */
  readonly onHungUp: () => void
  /** It was down for another reason, and now refuses the login. */
  readonly onRefused: () => void
}

export class Endpoint {
  /** Host and port, or the socket's path: its name in log and metrics. */
  readonly name: string
  /** Scheme, host and port of the REST API. */
  readonly origin: string
  readonly health: CircuitBreaker<FaultReason>
  private answers = 0
  private answerMs = 0
  private readonly faults = new KeyedCounter<FaultReason>()
  private readonly authorization: string | undefined
  private readonly pools: Pools
  private readonly endRecordConnections: () => void
  private readonly prober: HealthProbe
  /** Places of exchanges, and those that wait for one. */
  readonly lanes: Readonly<Record<Cost, Lane>>
  private streams = 0
  private hungUpAtMs = -Infinity
  private clockAtMs = -Infinity
  private clockAheadMs = 0
  private readonly waiting = new UnorderedList<AnswerHandler>()

  constructor(
    private readonly config: ClusterConfig,
    { url, socket, username }: EndpointConfig,
    { password, ca }: EndpointSecrets,
    private readonly events: EndpointEvents,
  ) {
    const { origin, host } = new URL(url)
    const { onChange, onHungUp } = events
    this.origin = origin
    this.name = socket ?? host
    this.authorization = basicAuthorization(username, password)
    const connect = {
      ...(ca !== undefined && { ca }),
      ...(socket !== undefined && { socketPath: socket }),
    }
    const place = { origin, connect, authorization: this.authorization }
    const opened = openPools(config, place, () => {
      this.hungUpAtMs = clock.monotonic()
      onHungUp()
    })
    this.pools = opened.pools
    this.endRecordConnections = opened.endRecordConnections
    const { connections, listingConnections, queueMax } = config
    this.lanes = {
      state: new Lane(connections, queueMax),
      // The gate's own requests serve all encoders; encoders hold at most half of the places.
      records: new Lane(2 * recordsMax, queueMax),
      kubo: new Lane(connections, queueMax),
      listings: new Lane(listingConnections, queueMax),
    }
    this.prober = new HealthProbe(place, config.health.timeoutMs, onHungUp, this.measureClock)
    this.health = new CircuitBreaker({
      ...config.health,
      ...clock,
      check: () => this.probe(),
      onChange: (change) => {
        const isDown = change.state === 'down'
        onChange(isDown ? { ...change, reason: this.faultNow(change.reason) } : change)
      },
    })
  }

  /** Exchanges in flight. */
  get load(): number {
    const { state, records, kubo, listings } = this.lanes
    return state.size + records.size + kubo.size + listings.size + this.streams
  }

  get report(): EndpointReport {
    const { name, origin, load, answers, answerMs, faults, clockAheadMs } = this
    const { state, stateMs } = this.health
    const reason = state === 'up' ? undefined : this.faultNow(this.health.reason)
    return { name, origin, state, stateMs, reason, load, answers, answerMs, faults, clockAheadMs }
  }

  /**
   * Runs one exchange, bounded in number and time; calls back once.
   * @param goElsewhere called first on a fault; true: another endpoint continues the exchange
   */
  request(asking: Asking, goElsewhere: GoElsewhere, callback: Callback): void {
    const { exchange, request, timeoutMs, isRepeated } = asking
    const { method, path, headers } = request
    const cost = costOf(exchange, request)
    const place = this.lanes[cost].reserve(exchange.owner)
    if (place === undefined) {
      const busy = new ClusterFault('cluster-busy')
      if (goElsewhere(busy, false)) return
      callback(busy, undefined as never)
      exchange.end()
      return
    }
    const generation = this.health.begin()
    const handler = new AnswerHandler(exchange, path, timeoutMs, callback, {
      onEnd: (error, isOfOne = false) => {
        place.leave()
        this.waiting.delete(handler)
        if (error === undefined) {
          this.answered(exchange.upstreamMs)
          return
        }
        if (error === aboutAnother && cost === 'records') this.endRecordConnections()
        const mayBeLate = this.isRushed(timeoutMs) || cost === 'kubo' || cost === 'listings'
        const mayBeOfOne = isOfOne || (method === 'GET' && isAboutPins(path))
        const mayBeWell = (reason: FaultReason) =>
          (mayBeOfOne && isReachable(reason)) ||
          (reason === 'cluster-timeout' && mayBeLate) ||
          (reason === 'cluster-hung-up' && method === 'GET' && !isRepeated)
        this.failed(generation, error, mayBeWell)
      },
      onHead: this.measureClock,
      goElsewhere,
    })
    if (method === 'GET') this.waiting.add(handler)
    const options = { origin: this.origin, method, path, headers: this.headersFor(headers) }
    // By default undici lets a GET block those behind it.
    const blocking = cost !== 'records'
    place.begin(() => {
      const isFresh = isRepeated || (method !== 'GET' && this.hangsUp)
      this.pools[isFresh ? 'fresh' : cost].dispatch({ ...options, blocking }, handler)
    })
  }

  /** What the last check met: a cluster that is down may meanwhile have another fault. */
  private faultNow(reason: EndpointReport['reason']): EndpointReport['reason'] {
    return this.prober.fault ?? reason
  }

  /** Counts a listing as in flight until the returned function is called. */
  beginListing(): ListingEnd {
    this.streams++
    const generation = this.health.begin()
    let isOver = false
    return (error) => {
      if (isOver) return
      isOver = true
      this.streams--
      if (error === undefined) this.answered(0)
      else this.failed(generation, error, isReachable)
    }
  }

  /** See {@link Cluster.dispatchListing}. @param isRepeated see {@link Asking} */
  dispatchListing(
    path: string,
    headers: RequestHeaders,
    handler: Dispatcher.DispatchHandler,
    of: StreamPool,
    isRepeated: boolean,
  ): void {
    const options = { origin: this.origin, path, method: 'GET' as const }
    const pool = isRepeated ? this.pools.fresh : this.pools[of]
    pool.dispatch({ ...options, headers: this.headersFor(headers) }, handler)
  }

  /** Checks now whether the endpoint answers. */
  async probe(): Promise<boolean> {
    const before = this.report.reason
    const isWell = await this.prober.ask()
    const { state, reason } = this.report
    if (state === 'down' && reason === 'cluster-auth' && reason !== before) this.events.onRefused()
    return isWell
  }

  /** Aborts reads without an answer so far, so that other endpoints get them. */
  moveReadsOn(): void {
    for (const handler of this.waiting) handler.moveOn()
  }

  /**
   * Whether it has closed a kept connection lately. A read that meets that is sent again; of a
   * write the gate does not know whether it was done.
   */
  private get hangsUp(): boolean {
    return clock.monotonic() - this.hungUpAtMs < hangUpMs
  }

  /** After a wait for a lock or another endpoint, less time may be left than a check takes. */
  private isRushed(timeoutMs: number): boolean {
    const { health, writeTimeoutMs } = this.config
    return timeoutMs < Math.min(health.timeoutMs, writeTimeoutMs / 2)
  }

  /** Once a second is enough. */
  private readonly measureClock = (headers: AnswerHeaders): void => {
    const dateMs = clock.monotonic() - this.clockAtMs < 1000 ? undefined : dateIn(headers)
    if (dateMs === undefined) return
    this.clockAtMs = clock.monotonic()
    this.clockAheadMs = dateMs - clock.now()
  }

  private answered(ms = 0): void {
    this.answers++
    this.answerMs += ms
    this.health.recordSuccess()
  }

  /**
   * @param generation of the endpoint's health when the exchange began
   * @param mayBeWell whether the endpoint may be healthy: a check finds out
   */
  private failed(
    generation: number,
    error: Error,
    mayBeWell: (reason: FaultReason) => boolean,
  ): void {
    // The client has left, which says nothing about the cluster.
    if (!(error instanceof ClusterFault) && !('code' in error)) {
      this.health.recordAbandoned(generation)
      return
    }
    const { reason } = faultOf(error)
    this.faults.add(reason)
    if (mayBeWell(reason)) this.health.requestCheck(generation)
    else this.health.recordFailure(generation, reason)
  }

  private headersFor(headers: RequestHeaders): RequestHeaders {
    const { authorization } = this
    return { ...headers, ...wantsPlain, ...(authorization !== undefined && { authorization }) }
  }

  /** Lets exchanges in flight end, then closes the connections. */
  async retire(): Promise<void> {
    this.health.close()
    await Promise.all([...this.allPools.map((pool) => pool.close()), this.prober.close()])
  }

  /** Ends every connection, also busy ones. */
  async close(): Promise<void> {
    this.health.close()
    await Promise.all([...this.allPools.map((pool) => pool.destroy()), this.prober.close()])
  }

  private get allPools() {
    return Object.values<Pool>({ ...this.pools })
  }
}

/** After a hang-up, writes get connections of their own for so long. */
const hangUpMs = 60_000

/** The outcome of one pin or listing says little about the endpoint: a check says more. */
const isReachable = (reason: FaultReason): boolean => reason !== 'cluster-unreachable'

const isAboutPins = (path: string): boolean =>
  cidIn(path) !== undefined || path.startsWith('/pins?')

/** Called when a listing ends, with its error if there was one. */
export type ListingEnd = (fault: Error | undefined) => void

/** Kinds of work for the cluster (cluster API, "Cost"): each has its own connections. */
type Cost = 'state' | 'records' | 'kubo' | 'listings'

/**
 * The cluster answers reads and writes of one CID's record without Kubo; for a path it asks Kubo.
 */
function costOf({ isListing }: Exchange, { method, path }: ClusterRequest): Cost {
  if (isListing) return 'listings'
  if (method === 'GET') return path.startsWith('/allocations/') ? 'records' : 'kubo'
  return cidIn(path) === undefined || path.includes('/recover') ? 'kubo' : 'state'
}

function basicAuthorization(username?: string, password?: string): string | undefined {
  if (username === undefined || password === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
