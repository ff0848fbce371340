/** The public listener: Node's HTTP(S) server with every bound set, which records every error. */
import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ListenConfig } from '../../settings/schema/schema.js'
import type { TlsMaterial } from '../../settings/files/tls-pair.js'
import type { Snapshot } from '../../settings/snapshot.js'
import { rawRefusal } from '../answer.js'
import { addressOf } from './client.js'
import type { Connections } from './connections.js'
import { RequestRecord } from '../record/record.js'
import { receive, receiveOnly, type Receiving } from './receive.js'
import type { RefusalReason } from '../refusals.js'
import { bytesUnaccounted } from '../record/socket-bytes.js'

/**
 * @param handler Fastify's
 * @param tls undefined for plain HTTP
 */
export function createPublicListener(
  handler: RequestListener,
  receiving: Receiving,
  tls: TlsMaterial | undefined,
): Server {
  const { current, connections, write } = receiving
  const { listen } = current().config
  const server = serverOf(listen, tls, receive(receiving, handler))
  // Node would silently drop further headers.
  server.maxHeadersCount = listen.headersMax + 1
  server.timeout = 0

  const mishap = mishaps(current, connections, write)
  server.on('connection', (socket: Socket) => {
    if (!connections.accept(socket, tls !== undefined)) {
      mishap.note(socket, addressOf(socket.remoteAddress), 'too-many-connections')
      socket.destroy()
    } else if (tls === undefined) {
      closeFast(socket)
      connections.of(socket).carriedBy(socket)
    }
  })
  server.on('secureConnection', (socket: Socket) => {
    connections.secured(socket)
  })
  server.on('checkExpectation', receiveOnly(receiving, 'bad-expectation'))
  server.on('clientError', mishap.onClientError)
  server.on('connect', mishap.onConnect)
  return server
}

function serverOf(
  listen: ListenConfig,
  tls: TlsMaterial | undefined,
  listener: RequestListener,
): Server {
  const options: ServerOptions = {
    maxHeaderSize: listen.headerBytesMax,
    headersTimeout: listen.headersTimeoutMs,
    requestTimeout: listen.requestTimeoutMs,
    keepAliveTimeout: listen.keepAliveTimeoutMs,
    connectionsCheckingInterval: 500,
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    // Checked by receive, which answers in the cluster's shape and keeps a record.
    requireHostHeader: false,
    noDelay: true,
    keepAlive: true,
  }
  if (tls === undefined) return createServer(options, listener)
  const secure = {
    ...tls,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: listen.headersTimeoutMs,
  }
  return createTlsServer({ ...options, ...secure }, listener)
}

/** Reasons for errors of Node's parser and TLS; for others, the client has left. */
const reasons = new Map<string, RefusalReason>([
  ['HPE_HEADER_OVERFLOW', 'headers-too-large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'body-too-large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request-timeout'],
])

function reasonOf(code: string): RefusalReason | undefined {
  if (code.startsWith('HPE_')) return reasons.get(code) ?? 'malformed-request'
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return 'tls-error'
  return reasons.get(code)
}

function mishaps(current: () => Snapshot, connections: Connections, write: Receiving['write']) {
  /** Opens and closes a record for input that never became a request. */
  const note = (
    socket: Socket | undefined,
    client: string,
    reason: RefusalReason | 'client-left',
    method = '-',
  ): string => {
    const id = randomUUID()
    const snapshot = current()
    const record = new RequestRecord(
      { id, snapshot, client, method, url: '-', userAgent: undefined, socket },
      write,
    )
    if (reason === 'client-left') record.abort(reason, undefined)
    else record.refuse(reason)
    record.close(499)
    return id
  }

  const onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    const connection = socket instanceof Socket ? connections.find(socket) : undefined
    if (!(socket instanceof Socket) || connection === undefined) {
      socket.destroy()
      return
    }
    const reason = reasonOf(error.code ?? '')
    const arriving = connection.arriving()
    if (arriving instanceof RequestRecord) {
      if (reason !== undefined) arriving.refuse(reason)
      socket.destroy()
      return
    }
    if (connection.isEnding && arriving === undefined) {
      // Bytes behind the last message, or Node still times a head that was refused: the requests
      // before get their answers.
      if (reason === undefined || !connection.isBusy) socket.destroy()
      return
    }
    // A connection that ends between requests, or without a byte, gets no record; lost requests
    // have their own. Input that is not HTTP gets one, though its bytes may count with those of a
    // request before it.
    const isLost = reason === undefined && connection.isBusy
    const wasSilent = reason === undefined || reason === 'request-timeout'
    if (isLost || (wasSilent && bytesUnaccounted(socket) === 0)) {
      socket.destroy()
      return
    }
    const id = note(socket, addressOf(socket.remoteAddress), reason ?? 'client-left')
    const words =
      reason === undefined || reason === 'tls-error' ? undefined : rawRefusal(id, reason)
    connection.condemn(words)
  }

  const onConnect = (_request: unknown, socket: Duplex): void => {
    if (!(socket instanceof Socket)) return
    const id = note(socket, addressOf(socket.remoteAddress), 'connect-refused', 'CONNECT')
    socket.on('error', () => socket.destroy())
    connections.find(socket)?.condemn(rawRefusal(id, 'connect-refused'))
  }

  return { note, onClientError, onConnect }
}

/**
 * Node half-closes a connection, waits for the client's FIN and closes then, which costs a
 * connection with one request a fifth of its CPU time. Closing also sends the FIN. It needs an
 * empty write buffer, and no TLS, which has its own closing handshake: there Node's way stays.
 */
function closeFast(socket: Socket): void {
  socket.destroySoon = destroySoon
}

function destroySoon(this: Socket): void {
  if (this.writableLength === 0) this.destroy()
  else Socket.prototype.destroySoon.call(this)
}
