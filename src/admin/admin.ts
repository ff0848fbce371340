/** The admin listener: health, metrics, status and the status page; nothing that changes state. */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Log } from '../log/log.js'
import type { Registry } from '../metrics/registry.js'
import { schemaController, closeNow } from '../http/fastify.js'
import { isLoopback } from '../settings/values/network.js'
import { ConfigError } from '../settings/problems.js'
import { hostCheck, socketHostCheck } from './host-check.js'
import { errorBody } from '../http/error-body.js'
import { type AdminPlaces, createAdminListener, onClientError } from './admin-listener.js'
import { addPage } from './page-files.js'
import { createReadiness, type ReadinessParts } from './readiness.js'
import { listenOnSocket } from './socket.js'

export type AdminAddress = TcpAddress | SocketAddress

export interface TcpAddress {
  readonly host: string
  readonly port: number
  /** The setting that allows addresses other than loopback. */
  readonly allowRemote?: boolean
  /** Names, besides loopback's and `host`, that callers may use. */
  readonly hostNames?: readonly string[]
}

export interface SocketAddress {
  readonly socket: string
  /** Mode of the socket's file; 0600 when absent. */
  readonly mode?: number
}

export interface AdminOptions extends ReadinessParts {
  readonly address: AdminAddress
  readonly log: Log
  readonly metrics: Pick<Registry, 'contentType' | 'metrics'>
  readonly places: AdminPlaces
  /** What `/status` shows; asked each time. */
  readonly status: () => Promise<object> | object
  /** What `/keys` shows: when each was last used. */
  readonly keys: () => Promise<object>
  /** What `/activity` shows: the last hour. */
  readonly activity: () => object
}

export interface OpenAdmin {
  /** Where it listens: a URL, or the socket's path. */
  readonly at: string
  /** Ends every connection; the socket's file goes with it. */
  close(): Promise<void>
}

/** @throws when the address is not allowed or cannot be listened on */
export async function openAdmin(options: AdminOptions): Promise<OpenAdmin> {
  const { address } = options
  if (!('socket' in address) && address.allowRemote !== true && !isLoopback(address.host)) {
    throw new Error(`admin: ${address.host} is not loopback, and allowRemote is not set`)
  }
  const admin = fastify({
    serverFactory: (handler) => createAdminListener(handler, options.places),
    clientErrorHandler: onClientError,
    schemaController,
    exposeHeadRoutes: true,
    frameworkErrors: (_error, _request, reply) => {
      refuse(reply, 400, 'malformed path')
    },
  })
  admin.addHook('onRequest', admit(address))
  answerErrors(admin, options.log)
  await addRoutes(admin, options)
  await admin.ready()
  const at = await listen(admin, address)

  return {
    at,
    close: () => closeNow(admin),
  }
}

async function addRoutes(admin: FastifyInstance, options: AdminOptions): Promise<void> {
  const { metrics, status, keys, activity } = options
  const missing = createReadiness(options)

  admin.get('/healthz', () => ({ healthy: true }))
  admin.get('/readyz', async (_request, reply) => {
    const words = await missing()
    if (words.length === 0) return { ready: true }
    const message = `not ready: ${words.join(', ')}`
    return reply.code(503).send({ code: 503, message, missing: words })
  })
  const scrape = sparingly(() => metrics.metrics())
  admin.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return scrape()
  })
  for (const [path, make] of Object.entries({ status, keys, activity })) {
    const text = sparingly(async () => JSON.stringify(await Promise.resolve(make())))
    admin.get(`/${path}`, async (_request, reply) => {
      reply.type('application/json; charset=utf-8')
      return text()
    })
  }
  await addPage(admin)
}

/** Most of the time that goes into answers of one kind, as any local user may ask for them. */
const workShare = 1 / 4

/**
 * Makes one answer at a time, with a pause behind it that is longer the longer it took. Requests
 * that wait for the same one share it.
 */
function sparingly<T>(make: () => T | Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  let freeAtMs = 0
  const answer = async (): Promise<T> => {
    const waitMs = freeAtMs - performance.now()
    if (waitMs > 0) await setTimeout(waitMs)
    next = undefined
    const startMs = performance.now()
    try {
      return await make()
    } finally {
      const endMs = performance.now()
      freeAtMs = endMs + (endMs - startMs) * (1 / workShare - 1)
    }
  }
  return () => {
    if (next === undefined) {
      next = running.then(answer)
      running = next.catch(() => undefined)
    }
    return next
  }
}

/** Which requests are allowed: over a socket, its file mode decides. */
function admit(address: AdminAddress) {
  const isNamed =
    'socket' in address ? socketHostCheck : hostCheck(address.host, address.hostNames ?? [])

  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const { headers, method, socket } = request.raw
    if (!isNamed(headers.host ?? '', socket.localPort ?? 0)) {
      refuse(reply, 403, 'the Host header does not name this listener')
    } else if (method !== 'GET' && method !== 'HEAD') {
      refuse(reply.header('allow', 'GET, HEAD'), 405, 'method not allowed')
    } else if (headers['transfer-encoding'] !== undefined || hasLength(headers['content-length'])) {
      refuse(reply, 413, 'no request here has a body')
    } else {
      done()
    }
  }
}

const hasLength = (contentLength: string | undefined): boolean => Number(contentLength ?? 0) !== 0

/** Closes the connection too: the rest of the request is not read. */
function refuse(reply: FastifyReply, code: number, message: string): void {
  reply
    .code(code)
    .headers({ 'content-type': 'application/json', connection: 'close' })
    .send(errorBody(code, message))
}

function answerErrors(admin: FastifyInstance, log: Log): void {
  admin.setNotFoundHandler((_request, reply) => {
    refuse(reply, 404, 'not found')
  })
  admin.setErrorHandler((error, _request, reply) => {
    log.bug(error)
    refuse(reply, 500, 'internal error')
  })
}

async function listen(admin: FastifyInstance, address: AdminAddress): Promise<string> {
  const { server } = admin
  if ('socket' in address) {
    await listenOnSocket(server, address.socket, address.mode ?? 0o600)
    return address.socket
  }
  const listening = once(server, 'listening')
  server.listen({ host: address.host, port: address.port })
  await listening
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not listening on TCP')
  // A name such as `localhost` may resolve to any address. This runs before the first connection.
  if (address.allowRemote !== true && !isLoopback(bound.address)) {
    server.close()
    throw new ConfigError([
      {
        path: 'admin.host',
        found: `a name that leads to ${bound.address}`,
        expected: 'a loopback address or a socket, or "allowRemote": true',
      },
    ])
  }
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return `http://${host}:${bound.port}`
}
