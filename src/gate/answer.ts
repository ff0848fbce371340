/** Writes the gate's own answers, in the shape of the cluster's. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import { errorBody, rawError } from '../http/error-body.js'
import type { RequestRecord } from './record/record.js'
import { type RefusalReason, refusals } from './refusals.js'

/** Sends a status and sentence. Head and body are one string, hence one write. */
export function answer(reply: FastifyReply, status: number, message: string): void {
  const { raw } = reply
  const body = errorBody(status, message)
  reply.hijack()
  if (raw.headersSent) return
  const headers = reply.getHeaders() as OutgoingHttpHeaders
  headers['content-type'] = 'application/json'
  headers['content-length'] = Buffer.byteLength(body)
  raw.writeHead(status, headers).end(body)
}

/** Refuses a request in one of the phases. */
export function refuse(
  reply: FastifyReply,
  record: RequestRecord,
  reason: RefusalReason,
  message: string = refusals[reason].message,
): void {
  record.refuse(reason)
  closeUnlessBodyIsSmall(reply, record)
  answer(reply, refusals[reason].status, message)
}

/**
 * Reads a request body to its end only if it is known to be small. Otherwise closes the connection,
 * as keeping it open would mean reading whatever the client sends.
 */
export function closeUnlessBodyIsSmall(reply: FastifyReply, record: RequestRecord): void {
  if (bodyIsUnbounded(reply.request.raw.headers, record.snapshot.config.listen.bodyBytesMax)) {
    record.connection?.end()
    reply.header('connection', 'close')
  }
}

function bodyIsUnbounded(
  headers: { 'content-length'?: string | undefined; 'transfer-encoding'?: string | undefined },
  bodyBytesMax: number,
): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) > bodyBytesMax
  )
}

/** Refuses a request that never reaches Fastify, and closes the connection after it. */
export function refuseUnrouted(
  response: ServerResponse,
  record: RequestRecord,
  reason: RefusalReason,
): void {
  const { status, message } = refusals[reason]
  record.refuse(reason)
  record.connection?.end()
  const body = errorBody(status, message)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-request-id': record.id,
    connection: 'close',
  })
  response.end(body)
}

/** The same as bytes, for a socket on which Node's parser has given up. */
export function rawRefusal(id: string, reason: RefusalReason): string {
  const { status, message } = refusals[reason]
  return rawError(status, message, [`X-Request-Id: ${id}`])
}

/** Neither Node nor undici has a time limit for a client that reads nothing. */
export function cutWhenStalled(
  response: ServerResponse,
  record: RequestRecord,
  stallMs: number,
): void {
  response.setTimeout(stallMs, () => {
    // No bytes wait for the client: the cluster pauses, and its own time limit holds.
    if (response.writableLength === 0) {
      response.setTimeout(stallMs)
      return
    }
    record.abort('client-stalled', response.statusCode)
    response.destroy()
  })
}
