/** The admin listener's server: every bound given, as little room as its few callers need. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { rawError } from '../http/error-body.js'

const connectionsMax = 64

export function createAdminListener(handler: RequestListener): Server {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 5000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 500,
      insecureHTTPParser: false,
      joinDuplicateHeaders: false,
      // The host check answers it, in our words; over a socket nobody needs one.
      requireHostHeader: false,
    },
    handler,
  )
  server.maxHeadersCount = 64
  server.maxConnections = connectionsMax
  // A reader that takes nothing of its answer.
  server.timeout = 70_000
  return server
}

/** Answers what Node's parser gave up on. */
export function onClientError(error: Error, socket: Duplex): void {
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, message } = answers.get(code) ?? { status: 400, message: 'malformed request' }
  socket.end(rawError(status, message), () => socket.destroy())
}

const answers = new Map([
  ['HPE_HEADER_OVERFLOW', { status: 431, message: 'request line and headers too large' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, message: 'the request did not arrive in time' }],
])
