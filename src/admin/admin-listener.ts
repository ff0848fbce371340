/** The admin listener's server: every bound is set, as low as its few callers allow. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import { rawError } from '../http/error-body.js'
import { PiecewiseReader } from '../http/piecewise.js'

const connectionsMax = 64

/** Connections that a listener has, and those that it closed to make room. */
export interface AdminPlaces {
  open: number
  ended: number
}

/** @returns the places of each listener, for it to count */
export function registerPlaces(
  registry: Registry,
): Readonly<Record<'admin' | 'control', AdminPlaces>> {
  const places = { admin: { open: 0, ended: 0 }, control: { open: 0, ended: 0 } }
  const each = (field: keyof AdminPlaces) => () =>
    Object.entries(places).map(([listener, of]) => [{ listener }, of[field]] as const)
  addGauge(registry, {
    name: 'pinwarden_admin_connections',
    help: 'Open connections of the admin listener and of the control socket.',
    labelNames: ['listener'],
    read: each('open'),
  })
  addCounter(registry, {
    name: 'pinwarden_admin_connections_ended_total',
    help: 'Admin and control connections that the gate closed to make room.',
    labelNames: ['listener'],
    read: each('ended'),
  })
  return places
}

/** Commands tell this daemon's answers from those of other programs by it. */
export const ownHeader = 'x-pinwarden'

export function createAdminListener(handler: RequestListener, places: AdminPlaces): Server {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: 5000,
      requestTimeout: 5000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 500,
      insecureHTTPParser: false,
      joinDuplicateHeaders: false,
      // The host check answers such requests itself; over a socket no Host is needed.
      requireHostHeader: false,
    },
    (incoming, response) => {
      response.setHeader(ownHeader, 'admin')
      handler(incoming, response)
    },
  )
  server.maxHeadersCount = 64
  makeRoom(server, places)
  answerInTurn(server)
  // A client that does not read its answer.
  server.timeout = 70_000
  return server
}

/** When places run out, the longest idle connection is closed. */
function makeRoom(server: Server, places: AdminPlaces): void {
  // Idle connections, the longest idle first, without connections that have a request in flight.
  const idle = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    if (places.open >= connectionsMax) {
      const [longestIdle = socket] = idle
      idle.delete(longestIdle)
      longestIdle.destroy()
      places.ended++
    }
    places.open++
    if (!socket.destroyed) idle.add(socket)
    socket.once('close', () => {
      places.open--
      idle.delete(socket)
    })
  })
  server.on('request', ({ socket }, response) => {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
    })
  })
}

/** Otherwise all requests of one read, up to thousands, would begin at once. */
function answerInTurn(server: Server): void {
  const readers = new WeakMap<Socket, PiecewiseReader>()
  server.on('connection', (socket: Socket) => {
    readers.set(socket, new PiecewiseReader(socket))
  })
  server.on('request', ({ headers, socket }, response) => {
    const hasBody = 'content-length' in headers || 'transfer-encoding' in headers
    // Its body is still to be read.
    if (hasBody) return
    const reader = readers.get(socket)
    reader?.stop(true)
    response.once('close', () => reader?.goOn())
  })
}

/** Answers requests that Node's parser rejected. */
export function onClientError(error: Error, socket: Duplex): void {
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, message } = answers.get(code) ?? { status: 400, message: 'malformed request' }
  socket.end(rawError(status, message, [`${ownHeader}: admin`]), () => socket.destroy())
}

const answers = new Map([
  ['HPE_HEADER_OVERFLOW', { status: 431, message: 'request line and headers too large' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, message: 'the request did not arrive in time' }],
])
