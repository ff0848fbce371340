/** Phase 4, the way to the cluster: asked once, given up with its client; faults are 502 to 504. */
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Body } from '../../cluster/answer.js'
import { Exchange, type ExchangeOptions } from '../../cluster/exchange.js'
import type { ClusterLink } from '../../cluster/link.js'
import type { Permission } from '../../settings/keyring/permissions.js'
import type { AwaitSettled } from './await-settled.js'
import type { ServeListing } from './listing.js'
import type { Outage } from '../outage/outage.js'
import type { HoldPin } from './ownership.js'
import type { ShowOwn } from './own-view.js'
import { relay, relayedHeaders } from './relay.js'
import type { UpstreamRequest } from '../authorize/pin-request.js'
import { recordOf } from '../request.js'
import { operations, type Route } from '../routes.js'

export interface Forwarding {
  readonly cluster: ClusterLink
  /** Product token for the cluster's own log. */
  readonly userAgent: string
  readonly serveListing: ServeListing
  readonly holdPin: HoldPin
  readonly showOwn: ShowOwn
  readonly awaitSettled: AwaitSettled
  readonly outage: Outage
}

/**
 * Registers one route of the table with @fastify/http-proxy. It is sent on before the plugin's own
 * handler, which would derive a path from the client's; authorize has built the one that goes up.
 */
export async function forward(
  app: FastifyInstance,
  route: Route,
  { cluster, userAgent, serveListing, holdPin, showOwn, awaitSettled, outage }: Forwarding,
): Promise<void> {
  const answering = {
    queryString: () => '',
    // The last call before the cluster is asked, in the same turn.
    rewriteRequestHeaders: (request: FastifyRequest) => {
      begin(cluster, request)
      return headersFor(request, userAgent)
    },
    rewriteHeaders: relayedHeaders,
    onResponse: (request: FastifyRequest, reply: FastifyReply, response: { stream: Body }) => {
      const record = recordOf(request)
      const errors = () => [record.exchange?.trailers?.['x-stream-error'] ?? []].flat()
      relay(reply, response.stream, errors)
    },
    onError: (reply: FastifyReply, { error }: { error: Error }) => {
      outage.answer(reply, error)
    },
  } as unknown as Parameters<FastifyReply['from']>[1]
  const options = {
    // Only a form: the link knows where the cluster is, which may change, and what is asked.
    upstream: 'http://cluster.invalid',
    routes: [route.url],
    httpMethods: [route.method],
    config: { gateRoute: route },
    // Bodies were read and dropped; nothing of them goes up.
    proxyPayloads: false,
    undici: cluster,
    disableRequestLogging: true,
    // By default a GET that gets 503 is asked again ten times.
    retryMethods: [],
    preHandler: (request: FastifyRequest, reply: FastifyReply) => {
      const { listing, change, page, waitMs } = upstreamOf(request)
      const send = () => {
        if (!outage.answersStatus(reply)) void reply.from('/', answering)
      }
      if (recordOf(request).isClosed) reply.hijack()
      else if (listing !== undefined) serveListing(request, reply, headersFor(request, userAgent))
      else if (page !== undefined) showOwn(request, reply, page, send)
      else if (waitMs !== undefined) awaitSettled(request, reply, waitMs, send)
      else if (change === undefined) send()
      else holdPin(request, reply, change, headersFor(request, userAgent), send)
    },
  }
  await app.register(httpProxy, options as unknown as Parameters<typeof httpProxy>[1])
}

/** Which requests are one question to the cluster, and which writes change the answer to it. */
function sharing(
  permission: Permission,
  { path, query, cid }: UpstreamRequest,
): Pick<ExchangeOptions, 'question' | 'changes'> {
  if (permission === 'status') return cid === undefined ? {} : { question: `${path}?${query}` }
  if (!operations[permission].outlivesClient) return {}
  if (cid === undefined) return { changes: 'all' }
  return { changes: [`/pins/${cid}?`, `/pins/${cid}?local=true`] }
}

/** All that the cluster is told of a request, but for our own credential. */
function headersFor(request: FastifyRequest, userAgent: string) {
  const { id, trace } = recordOf(request)
  return {
    accept: 'application/json',
    'user-agent': userAgent,
    'x-request-id': id,
    traceparent: trace.traceparent,
  }
}

function upstreamOf(request: FastifyRequest) {
  if (request.upstream === null) throw new Error('forward before authorize')
  return request.upstream
}

/** Announces the exchange to the cluster's side and ties it to the client's connection. */
function begin(cluster: ClusterLink, request: FastifyRequest) {
  const record = recordOf(request)
  if (record.permission === undefined) throw new Error('forward before authorize')
  const operation = operations[record.permission]
  const upstream = upstreamOf(request)
  const { path, query, timeoutMs, method = request.method as 'GET', onAnswer } = upstream
  const exchange = new Exchange({
    isListing: operation.budget === 'listings',
    isWhole: operation.isWhole && path !== '/pins',
    timeoutMs: timeoutMs ?? record.snapshot.config.cluster[operation.timeout],
    onEnd: record.hold(),
    ...sharing(record.permission, upstream),
  })
  record.exchange = exchange
  if (!operation.outlivesClient) {
    record.onClose(() => {
      exchange.cancel()
    })
  }
  cluster.begin(record.id, exchange, {
    method,
    path: query === '' ? path : `${path}?${query}`,
    onAnswer:
      onAnswer &&
      ((error, answer) => {
        onAnswer(method, error, answer)
      }),
  })
}
