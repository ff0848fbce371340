/** The way to the cluster through @fastify/http-proxy: all that is known of that plugin is here. */
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestHeaders } from '../http/headers.js'
import type { Body, Callback } from '../cluster/answer-handler.js'
import { Exchange, type ExchangeOptions } from '../cluster/exchange.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { relay, relayedHeaders } from './forward/relay.js'
import type { UpstreamCall } from './plan.js'
import { type Authorized, authorized, recordOf } from './request.js'
import { type Operation, operations, type Route } from './routes.js'

export interface WayParts {
  readonly cluster: ClusterClient
  /** All that the cluster is told of a request, but for our own credential. */
  readonly headersOf: (request: Authorized) => RequestHeaders
  /** There is no answer of the cluster's, or none that could be passed on. */
  readonly onFault: (reply: FastifyReply, error: Error) => void
}

export interface Way {
  /** Registers one route of the table; `handle` takes over before the plugin's own handler. */
  register(
    app: FastifyInstance,
    route: Route,
    handle: (request: FastifyRequest, reply: FastifyReply) => void,
  ): Promise<void>
  /** Asks the cluster, and passes its answer on. */
  send(request: Authorized, reply: FastifyReply, call: UpstreamCall): void
}

interface Pending {
  readonly request: Authorized
  readonly exchange: Exchange
  readonly call: UpstreamCall
}

/**
 * The plugin's own handler would derive a path from the client's. Instead a handler before it has
 * the request sent on, and the plugin's `undici` option, for which anything with undici's
 * `request` does, finds by the X-Request-Id what is to go up.
 */
export function viaHttpProxy({ cluster, headersOf, onFault }: WayParts): Way {
  let pending: Pending | undefined
  const undici = {
    request: ({ headers }: { headers: Record<string, string> }, callback: Callback): void => {
      if (pending === undefined || pending.request.id !== headers['x-request-id'])
        throw new Error('a request to the cluster that was not announced')
      const { exchange, call } = pending
      pending = undefined
      const { method, path, query, onAnswer } = call
      const whole = query === '' ? path : `${path}?${query}`
      cluster.send(exchange, { method, path: whole, headers }, callback, onAnswer)
    },
  }
  const answering = {
    queryString: () => '',
    rewriteRequestHeaders: (request: FastifyRequest) => headersOf(authorized(request)),
    rewriteHeaders: relayedHeaders,
    onResponse: (request: FastifyRequest, reply: FastifyReply, response: { stream: Body }) => {
      const { exchange } = recordOf(request)
      relay(reply, response.stream, () => [exchange?.trailers?.['x-stream-error'] ?? []].flat())
    },
    onError: (reply: FastifyReply, { error }: { error: Error }) => {
      onFault(reply, error)
    },
  } as unknown as Parameters<FastifyReply['from']>[1]

  return {
    async register(app, route, handle) {
      const options = {
        // Only a form: the client of the cluster knows where it is, which may change.
        upstream: 'http://cluster.invalid',
        routes: [route.url],
        httpMethods: [route.method],
        config: { gateRoute: route },
        // Bodies were read and dropped; nothing of them goes up.
        proxyPayloads: false,
        undici,
        disableRequestLogging: true,
        // By default a GET that gets 503 is asked again ten times.
        retryMethods: [],
        preHandler: handle,
      }
      await app.register(httpProxy, options as unknown as Parameters<typeof httpProxy>[1])
    },
    send(request, reply, call) {
      const exchange = exchangeOf(request, call)
      // The plugin asks in this same turn.
      pending = { request, exchange, call }
      void reply.from('/', answering)
    },
  }
}

/** Tied to the client's connection, unless it is to outlive it. */
function exchangeOf(record: Authorized, call: UpstreamCall): Exchange {
  const operation = operations[record.permission]
  const exchange = new Exchange({
    isListing: operation.budget === 'listings',
    isWhole: operation.isWhole && call.path !== '/pins',
    timeoutMs: call.timeoutMs ?? record.snapshot.config.cluster[operation.timeout],
    onEnd: record.hold(),
    ...sharing(operation, call),
  })
  record.exchange = exchange
  if (!operation.outlivesClient) {
    record.onClose(() => {
      exchange.cancel()
    })
  }
  return exchange
}

/** Which requests are coalesced, and which reads a write must not share its answer with. */
function sharing(
  { isShared, outlivesClient }: Operation,
  { path, query, cid }: UpstreamCall,
): Pick<ExchangeOptions, 'coalescingKey' | 'changes'> {
  if (isShared) return cid === undefined ? {} : { coalescingKey: `${path}?${query}` }
  if (!outlivesClient) return {}
  if (cid === undefined) return { changes: 'all' }
  return { changes: [`/pins/${cid}?`, `/pins/${cid}?local=true`] }
}
