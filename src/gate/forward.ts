/** Phase 4, the way to the cluster and back: streams, trailers, aborts; faults are 502 to 504. */
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import type { Cluster, Exchange } from '../cluster/cluster.js'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import { answer } from './answer.js'
import type { RequestRecord } from './record.js'
import { faults } from './refusals.js'
import { recordOf } from './request.js'
import { operations, type Route } from './routes.js'

export interface Forwarding {
  readonly cluster: Cluster
  /** Authorization header for the cluster, where it wants one. */
  readonly authorization: string | undefined
  /** Product token for the cluster's own log. */
  readonly userAgent: string
}

/** Registers one route of the table with @fastify/http-proxy. */
export async function forward(
  app: FastifyInstance,
  route: Route,
  { cluster, authorization, userAgent }: Forwarding,
): Promise<void> {
  const options = {
    upstream: cluster.origin,
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
        begin(cluster, request)
        const { id } = recordOf(request)
        return {
          accept: 'application/json',
          'user-agent': userAgent,
          'x-request-id': id,
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

const exchanges = new WeakMap<RequestRecord, Exchange>()

/** Announces the exchange to the cluster's side and ties it to the client's connection. */
function begin(cluster: Cluster, request: FastifyRequest): void {
  const record = recordOf(request)
  if (record.permission === undefined) throw new Error('forward before authorize')
  const operation = operations[record.permission]
  const abort = new AbortController()
  const release = record.hold()
  const exchange: Exchange = {
    isListing: operation.budget === 'listings',
    timeoutMs: record.snapshot.config.cluster[operation.timeout],
    abort,
    onEnd: () => {
      record.upstreamMs = exchange.upstreamMs
      record.upstreamStatus = exchange.upstreamStatus
      release()
    },
  }
  exchanges.set(record, exchange)
  if (!operation.outlivesClient) {
    record.onClose(() => {
      abort.abort()
    })
  }
  cluster.begin(record.id, exchange)
}

const relayed = ['content-type', 'content-length', 'trailer'] as const

/** An allow-list: nothing of the cluster's connection or configuration goes out. */
function relayedHeaders(headers: Record<string, string>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of relayed) {
    const value = headers[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

const streamError = 'x-stream-error'

function relay(request: FastifyRequest, reply: FastifyReply, stream: Readable): void {
  const { raw } = reply
  const announced = String(reply.getHeader('trailer') ?? '').toLowerCase()
  // Fastify would put it on answers that cannot have trailers, on which Node throws.
  reply.removeHeader('trailer')
  if (raw.destroyed || reply.statusCode === 204) {
    stream.on('error', () => undefined).resume()
    if (!raw.destroyed) reply.send()
    return
  }
  const isChunked = reply.getHeader('content-length') === undefined
  if (isChunked && announced === streamError) passTrailer(request, reply, stream)
  cutWhenStalled(request, reply)
  stream.once('error', () => {
    // Our own abort, because the client has left, is no fault of the cluster's.
    if (!raw.destroyed) recordOf(request).fault('cluster-cut', raw.statusCode)
  })
  void reply.send(stream)
}

/**
 * An error in the middle of a listing is told in its trailer; presence means nothing, any text is
 * an error. HTTP/1.0 has no trailers: there the connection is reset, so that it is no clean end.
 */
function passTrailer(request: FastifyRequest, reply: FastifyReply, stream: Readable): void {
  const { raw } = reply
  const isChunked = request.raw.httpVersion === '1.1'
  if (isChunked) reply.header('trailer', 'X-Stream-Error')
  // Before the pipe's own listener, which ends the answer.
  stream.once('end', () => {
    const record = recordOf(request)
    const trailer = exchanges.get(record)?.trailers?.[streamError] ?? []
    const texts = [trailer].flat().map(fieldValue)
    const error = texts.filter((text) => text !== '').join(', ')
    if (error !== '') record.streamError = error
    if (isChunked) raw.addTrailers(texts.map((text) => ['X-Stream-Error', text] as const))
    else if (error !== '') raw.socket?.resetAndDestroy()
  })
}

/** What may stand in a field value (RFC 9110 §5.5); Node throws on anything else. */
const fieldValue = (text: string): string => text.replace(/[^\t\x20-\x7e]/g, '?')

/** undici waits for ever while a client takes nothing, so the client gets a limit of its own. */
function cutWhenStalled(request: FastifyRequest, reply: FastifyReply): void {
  const record = recordOf(request)
  const { raw } = reply
  const { stallMs } = record.snapshot.config.listen
  raw.setTimeout(stallMs, () => {
    // Nothing waits to be taken: it is the cluster that pauses, and its own limit holds.
    if (raw.writableLength === 0) {
      raw.setTimeout(stallMs)
      return
    }
    record.abort('client-stalled', raw.statusCode)
    raw.destroy()
  })
}

function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const fault = faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  const { status, message } = faults[fault.reason]
  record.fault(fault.reason, status)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', 1)
  answer(reply, status, message)
}
