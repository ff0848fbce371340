/** The connections to the cluster, and one exchange after another over them. */
import { type Dispatcher, Pool } from 'undici'
import type { ClusterConfig } from '../settings/schema.js'
import { AnswerHandler, type Callback, Whole } from './answer.js'
import { Exchange } from './exchange.js'
import { ClusterFault } from './faults.js'
import { gatheringConnector } from './gathering-socket.js'

type RequestHeaders = Readonly<Record<string, string>>

/** What is asked of the cluster. */
export interface ClusterRequest {
  readonly method: Dispatcher.HttpMethod
  readonly path: string
  readonly headers: RequestHeaders
}

/** One configuration of the cluster: where it is, who we are to it, and our connections to it. */
export class Cluster {
  /** Scheme, host and port of the REST API. */
  readonly origin: string
  /** Authorization header, where the cluster wants one: on all that we ask. */
  readonly authorization: string | undefined
  private readonly requests: Pool
  private readonly listings: Pool
  private readonly copies: Pool
  private readonly underWay = { requests: 0, listings: 0 }

  /** @param password of the endpoint's user */
  constructor(
    private readonly config: ClusterConfig,
    password: string | undefined,
  ) {
    const [endpoint] = config.endpoints
    if (endpoint === undefined) throw new Error('no cluster endpoint is configured')
    this.origin = new URL(endpoint.url).origin
    this.authorization = basicAuthorization(endpoint.username, password)
    const { connectTimeoutMs } = config
    const connect = { timeout: connectTimeoutMs }
    this.requests = this.pool(config.connections, connect)
    this.listings = this.pool(config.listingConnections, connect)
    const isPlain = this.origin.startsWith('http:')
    this.copies = this.pool(
      config.listingConnections,
      isPlain ? gatheringConnector(connectTimeoutMs) : connect,
    )
  }

  private pool(connections: number, connect: NonNullable<Pool.Options['connect']>): Pool {
    const { idleTimeoutMs } = this.config
    return new Pool(this.origin, {
      connections,
      pipelining: 1,
      connect,
      // The exchange's own clock runs from the start of the wait and is finer than undici's.
      headersTimeout: 0,
      bodyTimeout: idleTimeoutMs,
      // The cluster closes idle connections after 120 s; ours go first, so no request meets that.
      keepAliveTimeout: 30_000,
      keepAliveMaxTimeout: 60_000,
    })
  }

  /** One exchange, bounded in number and time; calls back once. */
  request(exchange: Exchange, request: ClusterRequest, callback: Callback): void {
    const pool = exchange.isListing ? 'listings' : 'requests'
    const connections = exchange.isListing
      ? this.config.listingConnections
      : this.config.connections
    if (this.underWay[pool] >= connections + this.config.queueMax) {
      exchange.end()
      callback(new ClusterFault('cluster-busy'), undefined as never)
      return
    }
    this.underWay[pool]++
    const handler = new AnswerHandler(exchange, callback, () => {
      this.underWay[pool]--
      exchange.end()
    })
    const { method, path, headers } = request
    const options = { origin: this.origin, method, path, headers: this.authorized(headers) }
    this[pool].dispatch(options, handler)
  }

  /**
   * Begins a listing whose parts a handler of undici's takes: cheaper than a stream of them. What
   * it is given is the socket's memory, and good for the length of the call.
   */
  dispatchListing(
    path: string,
    headers: RequestHeaders,
    handler: Dispatcher.DispatchHandler,
  ): void {
    const options = { origin: this.origin, path, method: 'GET' as const }
    this.copies.dispatch({ ...options, headers: this.authorized(headers) }, handler)
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
          resolve({ status: answer.statusCode, text: answer.body.bytes.toString() })
        else reject(new ClusterFault('cluster-bad-answer'))
      })
    })
  }

  private authorized(headers: RequestHeaders): RequestHeaders {
    const { authorization } = this
    return authorization === undefined ? headers : { ...headers, authorization }
  }

  /** Lets exchanges under way end, then closes the connections. */
  async retire(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.close()))
  }

  private get pools(): readonly Pool[] {
    return [this.requests, this.listings, this.copies]
  }

  /** Ends every connection, also busy ones. */
  async close(): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.destroy()))
  }
}

/** An answer to a question of our own. */
export interface Told {
  readonly status: number
  readonly text: string
}

function basicAuthorization(username?: string, password?: string): string | undefined {
  if (username === undefined || password === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

const nothing = () => undefined
