/** Sends requests to the cluster through @fastify/http-proxy; only this file knows the plugin. */
import { Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RequestHeaders } from '../http/headers.js'
import type { Body, Callback } from '../cluster/answer-handler.js'
import { Exchange, type ExchangeOptions } from '../cluster/exchange.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { relay, relayedHeaders } from './forward/relay.js'
import type { UpstreamCall } from './plan.js'
import { type Authorized, authorized } from './request.js'
import { type Operation, operations, type Route } from './routes.js'

export interface HttpProxyParts {
  readonly cluster: ClusterClient
  /** All headers that the cluster gets of a request, besides the gate's own credential. */
  readonly headersOf: (request: Authorized) => RequestHeaders
  /** Called when the cluster gave no answer, or one that cannot be passed on. */
  readonly onFault: (reply: FastifyReply, error: Error) => void
}

export interface HttpProxy {
  /** Registers one route of the table; `handle` takes over before the plugin's own handler. */
  register(
    app: FastifyInstance,
    route: Route,
    handle: (request: FastifyRequest, reply: FastifyReply) => void,
  ): Promise<void>
  /** Sends the request to the cluster, and passes its answer on. */
  send(request: Authorized, reply: FastifyReply, call: UpstreamCall): void
}

interface Pending {
  readonly request: Authorized
  readonly reply: FastifyReply
  readonly exchange: Exchange
  readonly call: UpstreamCall
}

type Done = (error: Error | null, answer: object | undefined) => void

/** The stream that the plugin expects from its HTTP client. */
class Carried {
  constructor(readonly body: Body) {}

  /** Called when the client has left; a whole answer holds nothing. */
  destroy(): void {
    if (this.body instanceof Readable) this.body.destroy()
  }
}

/**
 * The plugin's own handler would derive a path from the client's. Instead a handler before it has
 * the request sent on, and the plugin's `undici` option, for which anything with undici's
 * `request` does, finds by the X-Request-Id what is to go up.
 */
export function viaHttpProxy({ cluster, headersOf, onFault }: HttpProxyParts): HttpProxy {
  let pending: Pending | undefined
  const undici = {
    request: ({ headers }: { headers: RequestHeaders }, done: Done): void => {
      if (pending === undefined || pending.request.id !== headers['x-request-id'])
        throw new Error('a request to the cluster that was not announced')
      const { reply, exchange, call } = pending
      pending = undefined
      const { method, path, query, onAnswer } = call
      const whole = query === '' ? path : `${path}?${query}`
      const callback: Callback = (error, answer) => {
        try {
          done(error, error === null ? { ...answer, body: new Carried(answer.body) } : undefined)
        } catch (bug) {
          // If rethrown, it would end in the HTTP client's parser, and the request without an
          // answer.
          if (error === null && answer.body instanceof Readable) answer.body.destroy()
          if (!reply.sent) reply.send(bug)
        }
      }
      cluster.send(exchange, { method, path: whole, headers }, callback, onAnswer)
    },
  }
  const answering = {
    queryString: () => '',
    rewriteRequestHeaders: (request: FastifyRequest) => headersOf(authorized(request)),
    rewriteHeaders: relayedHeaders,
    onError: (reply: FastifyReply, { error }: { error: Error }) => {
      onFault(reply, error)
    },
  }
  type Options = Parameters<FastifyReply['from']>[1]

  return {
    async register(app, route, handle) {
      const options = {
        // A placeholder: the client of the cluster knows the address, which may change.
        upstream: 'http://cluster.invalid',
        routes: [route.url],
        httpMethods: [route.method],
        config: { gateRoute: route },
        // Bodies were read and dropped; the cluster gets none.
        proxyPayloads: false,
        undici,
        disableRequestLogging: true,
        // By default the plugin repeats a GET ten times after 503.
        retryMethods: [],
        preHandler: handle,
      }
      await app.register(httpProxy, options as unknown as Parameters<typeof httpProxy>[1])
    },
    send(request, reply, call) {
      const exchange = exchangeOf(request, call)
      // The plugin sends the request in this same turn.
      pending = { request, reply, exchange, call }
      const onResponse = (_request: unknown, _reply: unknown, { stream }: { stream: Carried }) => {
        relay(reply, stream.body, call, () => [exchange.trailers?.['x-stream-error'] ?? []].flat())
      }
      void reply.from('/', { ...answering, onResponse } as unknown as Options)
    },
  }
}

/** Ends with the client's connection, unless it has to outlive it. */
function exchangeOf(record: Authorized, call: UpstreamCall): Exchange {
  const operation = operations[record.permission]
  const exchange = new Exchange({
    owner: record.encoder.name,
    isListing: operation.isListing,
    isWhole: operation.isWhole && call.cids === undefined,
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

/** Which requests are coalesced, and which reads must not share an answer from before a write. */
function sharing(
  { isShared, outlivesClient }: Operation,
  { path, query, cid }: UpstreamCall,
): Pick<ExchangeOptions, 'coalescingKey' | 'changes'> {
  if (isShared) return cid === undefined ? {} : { coalescingKey: `${path}?${query}` }
  if (!outlivesClient) return {}
  if (cid === undefined) return { changes: 'all' }
  return { changes: [`/pins/${cid}?`, `/pins/${cid}?local=true`] }
}
