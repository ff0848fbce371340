/**
 * Phase 0, receive: begins the record of every request, pins its snapshot, refuses what is not
 * HTTP.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Snapshot } from '../../settings/snapshot.js'
import { cutWhenStalled, refuseUnrouted } from '../answer.js'
import { type ClientOf, clientOf } from './client.js'
import type { Connections } from './connections.js'
import type { AccessLine } from '../../log/access-line.js'
import { RequestRecord } from '../record/record.js'
import { BadRequest, type RefusalReason } from '../refusals.js'
import { attachRecord } from '../request.js'
import { healthChecks } from './health-check.js'
import { readTarget } from '../target.js'

export interface Receiving {
  readonly current: () => Snapshot
  readonly connections: Connections
  readonly write: (line: AccessLine) => void
  /** Whether the gate is ready, as far as it knows without a request. */
  readonly isReady: () => boolean
}

/** @returns a listener that runs before Fastify's, and calls it for valid requests */
export function receive(receiving: Receiving, next: RequestListener): RequestListener {
  const take = taker(receiving)
  const isHealthCheck = healthChecks(receiving.isReady)
  return (request, response) => {
    take(request, response, (record) => {
      const { listen } = record.snapshot.config
      const fault = framingFault(request, listen.headersMax, listen.urlBytesMax)
      if (fault !== undefined) {
        refuseUnrouted(response, record, fault)
        return
      }
      if (isHealthCheck(request, response, record)) return
      try {
        record.target = readTarget(request.url ?? '')
      } catch (error) {
        // authorize refuses it, after authentication.
        if (!(error instanceof BadRequest)) throw error
      }
      next(request, response)
    })
  }
}

/** For requests without a `request` event of Node: unknown expectations. */
export function receiveOnly(receiving: Receiving, reason: RefusalReason): RequestListener {
  const take = taker(receiving)
  return (request, response) => {
    take(request, response, (record) => {
      refuseUnrouted(response, record, reason)
    })
  }
}

type Take = (
  request: IncomingMessage,
  response: ServerResponse,
  run: (record: RequestRecord) => void,
) => void

/** Each pipelined request begins when those before it are answered. */
function taker({ current, connections, write }: Receiving): Take {
  const clientOf = clientReader()
  return (request, response, run) => {
    const { socket } = request
    const connection = connections.of(socket)
    const begin = (): RequestRecord => {
      const snapshot = current()
      const record = new RequestRecord(
        {
          id: randomUUID(),
          snapshot,
          client: clientOf(request, snapshot.config.listen.trustProxy),
          method: request.method ?? '-',
          url: request.url ?? '-',
          userAgent: request.headers['user-agent'],
          traceparent: request.headers.traceparent?.toString(),
          ...{ socket, connection },
        },
        write,
      )
      if (connections.isRetiring) response.shouldKeepAlive = false
      attachRecord(request, record)
      connections.opened(record)
      // Of an answer before it on the connection: this one may have nothing to send for longer.
      if (isTimed(socket)) socket.setTimeout(0)
      response.on('prefinish', () => {
        if (response.writableLength > 0 && !isTimed(socket))
          cutWhenStalled(response, record, snapshot.config.listen.stallMs)
      })
      response.on('close', () => {
        endOf(record, response)
      })
      return record
    }
    connection.take({ request, response, begin, run })
  }
}

const isTimed = ({ timeout = 0 }: Socket): boolean => timeout > 0

function clientReader(): (request: IncomingMessage, trustProxy: readonly string[]) => string {
  let trusted: readonly string[] | undefined
  let addressOfClient: ClientOf = clientOf([])
  return (request, trustProxy) => {
    if (trustProxy !== trusted) addressOfClient = clientOf((trusted = trustProxy))
    return addressOfClient(request)
  }
}

function endOf(record: RequestRecord, response: ServerResponse): void {
  if (!response.writableFinished) {
    record.abort('client-left', response.headersSent ? response.statusCode : undefined)
  }
  record.close(response.statusCode)
}

/**
 * Refuses what Node's parser accepts and two servers in a row may read in two ways (RFC 9112 §3.2,
 * §6). Two credentials are the same trap: Node would take the first, another server the last.
 */
function framingFault(
  request: IncomingMessage,
  headersMax: number,
  urlBytesMax: number,
): RefusalReason | undefined {
  const { httpVersion, rawHeaders, url = '' } = request
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'bad-version'
  if (rawHeaders.length > 2 * headersMax) return 'too-many-headers'
  if (url.length > urlBytesMax) return 'url-too-long'
  const hosts = countOf('host', rawHeaders)
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) return 'bad-host'
  if (countOf('transfer-encoding', rawHeaders) > 0) {
    const coding = request.headers['transfer-encoding']?.toLowerCase()
    if (httpVersion === '1.0' || coding !== 'chunked') return 'bad-framing'
  }
  return countOf('authorization', rawHeaders) > 1 ? 'two-credentials' : undefined
}

/** Compares lengths first: most header names differ there already. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const other = rawHeaders[index]
    if (other?.length === name.length && other.toLowerCase() === name) count++
  }
  return count
}
