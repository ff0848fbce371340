/** One cluster, by any of its endpoints: who is asked, and who instead when that one fails. */
import type { Dispatcher } from 'undici'
import type { RequestHeaders } from '../http/headers.js'
import type { ClusterConfig } from '../settings/schema/schema.js'
import type { EndpointSecrets } from '../settings/files/secrets.js'
import { type Answer, type Callback, type GoElsewhere, Whole } from './answer-handler.js'
import { type ClusterRequest, Endpoint, type EndpointEvents, type OnChange } from './endpoint.js'
import { Exchange } from './exchange.js'
import { ClusterFault } from './faults.js'
import { ListingRelay } from './listing-relay.js'
import { RecentChanges } from './recent-changes.js'

export interface ClusterEvents {
  readonly onChange: OnChange
  readonly onHungUp: EndpointEvents['onHungUp']
}

/** One configuration of the cluster. */
export class Cluster {
  readonly endpoints: readonly Endpoint[]
  private readonly changes = new RecentChanges()
  /** All that is written goes here, and what is read to write it. */
  private writer: Endpoint
  private turn = 0

  /** @param secrets by the index of the endpoint they belong to */
  constructor(
    config: ClusterConfig,
    secrets: readonly EndpointSecrets[],
    { onChange, onHungUp }: ClusterEvents,
  ) {
    this.endpoints = config.endpoints.map((endpoint, index) => {
      const own = new Endpoint(config, endpoint, secrets[index] ?? {}, {
        onHungUp,
        onChange: (change) => {
          const { isAvailable } = this
          if (change.state === 'down' && isAvailable) own.moveReadsOn()
          onChange({ ...change, endpoint: own.name, isClusterAvailable: isAvailable })
        },
      })
      return own
    })
    const [first] = this.endpoints
    if (first === undefined) throw new Error('no cluster endpoint is configured')
    this.writer = first
  }

  /** Whether any endpoint may be asked. */
  get isAvailable(): boolean {
    return this.endpoints.some(({ health }) => health.isAvailable)
  }

  /** One exchange, bounded in number and time; calls back once. Without time nothing is asked. */
  request(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const { timeoutMs } = exchange
    const endpoint = this.choose(request, undefined)
    if (endpoint === undefined || timeoutMs <= 0) {
      exchange.end()
      const reason = endpoint === undefined ? 'cluster-down' : 'cluster-timeout'
      callback(new ClusterFault(reason), undefined as never)
      return
    }
    if (!this.hasSeveral) endpoint.request(exchange, request, timeoutMs, never, callback)
    else this.requestOfSeveral(endpoint, exchange, request, callback)
  }

  /** A read that failed is asked elsewhere once; a write only if nothing of it was sent. */
  private requestOfSeveral(
    endpoint: Endpoint,
    exchange: Exchange,
    request: ClusterRequest,
    callback: Callback,
  ): void {
    const { method, path } = request
    const { timeoutMs } = exchange
    const startMs = performance.now()
    if (method !== 'GET') this.changes.note(path)
    exchange.endpoint = endpoint.name
    const goElsewhere: GoElsewhere = (_fault, wasSent) => {
      const leftMs = timeoutMs - (performance.now() - startMs)
      if (leftMs <= 0 || (wasSent && method !== 'GET')) return false
      const other = this.choose(request, endpoint)
      if (other === undefined) return false
      exchange.endpoint = other.name
      other.request(exchange, request, leftMs, never, callback)
      return true
    }
    endpoint.request(exchange, request, timeoutMs, goElsewhere, callback)
  }

  /**
   * Begins a listing whose chunks a handler of undici's takes: cheaper than a stream of them. A
   * chunk is the socket's memory, and good for the length of the call. A listing that fails before
   * anything of an answer has come is asked elsewhere once.
   */
  dispatchListing(
    path: string,
    headers: RequestHeaders,
    handler: Dispatcher.DispatchHandler,
  ): void {
    const request = { method: 'GET', path, headers } as const
    new ListingRelay(handler, path, headers, (not) => this.choose(request, not)).start()
  }

  /**
   * What the cluster answers to a question of our own: one value, or an error of its handlers.
   *
   * @throws ClusterFault
   */
  ask(path: string, headers: RequestHeaders, timeoutMs: number): Promise<Told> {
    const exchange = new Exchange({ isListing: false, isWhole: true, timeoutMs, onEnd: nothing })
    return new Promise((resolve, reject) => {
      this.request(exchange, { method: 'GET', path, headers }, (error, answer) => {
        if (error !== null) reject(error)
        else if (answer.body instanceof Whole)
          resolve({ status: answer.statusCode, text: answer.body.text, dateMs: dateIn(answer) })
        else reject(new ClusterFault('cluster-bad-answer'))
      })
    })
  }

  /** Whether any endpoint answers, asked now. */
  async probe(): Promise<boolean> {
    const answers = this.endpoints.map(async (endpoint) => {
      if (!(await endpoint.probe())) throw new Error('no answer')
      return true
    })
    return Promise.any(answers).catch(() => false)
  }

  /** Lets exchanges under way end, then closes the connections. */
  async retire(): Promise<void> {
    await Promise.all(this.endpoints.map((endpoint) => endpoint.retire()))
  }

  /** Ends every connection, also busy ones. */
  async close(): Promise<void> {
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
    // The peers of a cluster know of a write one after the other.
    const isBound = method !== 'GET' || path.startsWith('/allocations') || this.changes.has(path)
    if (!isBound) return this.leastLoaded(not)
    if (this.writer !== not && this.writer.health.isAvailable) return this.writer
    const other = this.leastLoaded(not)
    // A writer that only failed once stays the writer.
    if (other !== undefined && !this.writer.health.isAvailable) this.writer = other
    return other
  }

  /** Of those with the same load, one after the other. */
  private leastLoaded(not: Endpoint | undefined): Endpoint | undefined {
    const { endpoints } = this
    this.turn = (this.turn + 1) % endpoints.length
    let best: Endpoint | undefined
    let bestLoad = Infinity
    for (let index = 0; index < endpoints.length; index++) {
      const endpoint = endpoints[(this.turn + index) % endpoints.length]
      if (endpoint === undefined || endpoint === not || !endpoint.health.isAvailable) continue
      const load = (endpoint.load + 1) / endpoint.health.weight
      if (load >= bestLoad) continue
      best = endpoint
      bestLoad = load
    }
    return best
  }
}

/** An answer to a question of our own. */
export interface Told {
  readonly status: number
  readonly text: string
  /** The cluster's clock, in milliseconds since the epoch; undefined: it did not tell. */
  readonly dateMs: number | undefined
}

function dateIn({ headers: { date } }: Answer): number | undefined {
  const ms = typeof date === 'string' ? Date.parse(date) : NaN
  return Number.isNaN(ms) ? undefined : ms
}

const availableOne = (endpoint: Endpoint): Endpoint | undefined =>
  endpoint.health.isAvailable ? endpoint : undefined

const never: GoElsewhere = () => false

const nothing = () => undefined
