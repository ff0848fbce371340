/** The connections to the cluster, and one exchange after another over them. */
import type { Readable } from 'node:stream'
import { type Dispatcher, Pool } from 'undici'
import type { ClusterConfig } from '../settings/schema.js'
import { ClusterFault, faultOf, faultOfAnswer } from './faults.js'
import { gatheringConnector } from './gathering-socket.js'

/** One request to the cluster and what became of it. */
export interface Exchange {
  /** Listings have connections of their own, so that a few slow ones never hold up pins. */
  readonly isListing: boolean
  /** Longest wait for the head of the answer, waiting for a connection included. */
  readonly timeoutMs: number
  /** Aborted with a reason when nobody wants the answer any more. */
  readonly abort: AbortController
  /** Milliseconds until the head of the answer, once it is there. */
  upstreamMs?: number
  upstreamStatus?: number
  /** Trailer fields, filled in when the body has ended. */
  trailers?: Record<string, string | string[]>
  /** While it is under way, whoever asks the same is answered by it as well. */
  readonly question?: string
  /** Questions whose answers are other ones once this is done; `all` where that is not known. */
  readonly changes?: readonly string[] | 'all'
  /** Nothing of the exchange is under way any more. */
  readonly onEnd: () => void
}

/** Undici's, with a body of whatever make. */
export type Answer = Omit<Dispatcher.ResponseData, 'body'> & { readonly body: Readable }
export type Callback = (error: Error | null, answer: Answer) => void
type Headers = Readonly<Record<string, string>>
export type RequestOptions = Dispatcher.RequestOptions & { path: string }

/** One configuration of the cluster: where it is, who we are to it, and our connections to it. */
export class Cluster {
  /** Scheme, host and port of the REST API. */
  readonly origin: string
  /** Authorization header, where the cluster wants one. */
  readonly authorization: string | undefined
  private readonly requests: Pool
  private readonly listings: Pool
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
    const isPlain = this.origin.startsWith('http:')
    this.listings = this.pool(
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

  /** Undici's `request` with a callback, for one exchange, bounded in number and time. */
  request(exchange: Exchange, options: RequestOptions, callback: Callback): void {
    const pool = exchange.isListing ? 'listings' : 'requests'
    const connections = exchange.isListing
      ? this.config.listingConnections
      : this.config.connections
    if (this.underWay[pool] >= connections + this.config.queueMax) {
      exchange.onEnd()
      callback(new ClusterFault('cluster-busy'), undefined as never)
      return
    }
    this.underWay[pool]++
    const end = () => {
      this.underWay[pool]--
      exchange.onEnd()
    }
    this.exchange(this[pool], exchange, options, callback, end)
  }

  private exchange(
    pool: Pool,
    exchange: Exchange,
    options: RequestOptions,
    callback: Callback,
    end: () => void,
  ): void {
    const { abort, timeoutMs } = exchange
    const startMs = performance.now()
    const clock = setTimeout(() => {
      abort.abort(new ClusterFault('cluster-timeout'))
    }, timeoutMs)
    pool.request(
      {
        ...options,
        origin: this.origin,
        headersTimeout: 0,
        bodyTimeout: null,
        signal: abort.signal,
      },
      (error, answer) => {
        clearTimeout(clock)
        exchange.upstreamMs = performance.now() - startMs
        if (error !== null) {
          end()
          callback(faultOf(error), answer)
          return
        }
        exchange.upstreamStatus = answer.statusCode
        exchange.trailers = answer.trailers
        answer.body.once('close', end)
        const fault = faultOfAnswer(answer.statusCode, answer.headers)
        if (fault === undefined) {
          callback(null, answer)
          return
        }
        answer.body.on('error', ignore).destroy()
        callback(new ClusterFault(fault), answer)
      },
    )
  }

  /** Begins a listing whose parts a handler of undici's takes: cheaper than a stream of them. */
  dispatchListing(path: string, headers: Headers, handler: Dispatcher.DispatchHandler): void {
    const options = { origin: this.origin, path, method: 'GET' as const, headers }
    this.listings.dispatch(options, handler)
  }

  /** A short answer to a question of our own. */
  async ask(path: string, headers: Headers, timeoutMs: number): Promise<unknown> {
    const signal = AbortSignal.timeout(timeoutMs)
    const { statusCode, body } = await this.requests.request({
      ...{ origin: this.origin, path, method: 'GET', headers, headersTimeout: 0, signal },
    })
    if (statusCode !== 200) {
      await body.dump({ limit: answerBytesMax, signal })
      throw new ClusterFault('cluster-bad-answer')
    }
    return body.json()
  }

  /** Lets exchanges under way end, then closes the connections. */
  async retire(): Promise<void> {
    await Promise.all([this.requests.close(), this.listings.close()])
  }

  /** Ends every connection, also busy ones. */
  async close(): Promise<void> {
    await Promise.all([this.requests.destroy(), this.listings.destroy()])
  }
}

function basicAuthorization(username?: string, password?: string): string | undefined {
  if (username === undefined || password === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** A longer answer to a question of ours is cut off rather than read. */
const answerBytesMax = 65_536

/** Destroying a body that nobody reads makes undici report the abort on it. */
const ignore = () => undefined
