/** Phase 4, the way to the cluster: asked once, given up with its client; faults are 502 to 504. */
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import type { Exchange } from '../cluster/cluster.js'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import type { ClusterLink } from '../cluster/link.js'
import { answer } from './answer.js'
import { faults } from './refusals.js'
import { relay, relayed, relayedHeaders } from './relay.js'
import { recordOf } from './request.js'
import { operations, type Route } from './routes.js'

export interface Forwarding {
  readonly cluster: ClusterLink
  /** Product token for the cluster's own log. */
  readonly userAgent: string
}

/** Registers one route of the table with @fastify/http-proxy. */
export async function forward(
  app: FastifyInstance,
  route: Route,
  { cluster, userAgent }: Forwarding,
): Promise<void> {
  const options = {
    // Only a form: the link knows where the cluster is, which may change.
    upstream: 'http://cluster.invalid',
    routes: [route.url],
    httpMethods: [route.method],
    config: { gateRoute: route },
    // Bodies were read and dropped; nothing of them goes up.
    proxyPayloads: false,
    undici: cluster,
    disableRequestLogging: true,
    disableCache: true,
    // By default a GET that gets 503 is asked again ten times.
    retryMethods: [],
    handler: (request: FastifyRequest, reply: FastifyReply, _url: string, from: object) =>
      recordOf(request).isClosed ? reply.hijack() : reply.from(upstreamOf(request).path, from),
    replyOptions: {
      queryString: (_search: unknown, _url: unknown, request: FastifyRequest) =>
        upstreamOf(request).query,
      // The last call before the cluster is asked, in the same turn.
      rewriteRequestHeaders: (request: FastifyRequest) => {
        const { id, trace } = recordOf(request)
        const { authorization } = begin(cluster, request)
        return {
          accept: 'application/json',
          'user-agent': userAgent,
          'x-request-id': id,
          traceparent: trace.traceparent,
          ...(authorization !== undefined && { authorization }),
        }
      },
      rewriteHeaders: relayedHeaders,
      onResponse: (
        request: FastifyRequest,
        reply: FastifyReply,
        response: { stream: Readable },
      ) => {
        relay(request, reply, response.stream)
      },
      onError: (reply: FastifyReply, { error }: { error: Error }) => {
        answerFault(reply, error)
      },
    },
  }
  await app.register(httpProxy, options as unknown as Parameters<typeof httpProxy>[1])
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
  const abort = new AbortController()
  const release = record.hold()
  const exchange: Exchange = {
    isListing: operation.budget === 'listings',
    timeoutMs: record.snapshot.config.cluster[operation.timeout],
    abort,
    onEnd: release,
  }
  record.exchange = exchange
  if (!operation.outlivesClient) {
    record.onClose(() => {
      abort.abort()
    })
  }
  return cluster.begin(record.id, exchange)
}

function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const fault = faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  const { status, message } = faults[fault.reason]
  record.fault(fault.reason, status, fault.cause instanceof Error ? fault.cause.message : undefined)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', 1)
  answer(reply, status, message)
}
