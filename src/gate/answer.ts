/** Writes the gate's own answers, in the shape of the cluster's. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { ChunkView } from '../listings/chunk.js'
import { errorBody, rawError } from '../http/error-body.js'
import type { RequestHeaders } from '../http/headers.js'
import type { Plan, UpstreamCall } from './plan.js'
import type { RequestRecord } from './record/record.js'
import { type RefusalReason, refusals } from './refusals.js'
import type { Authorized } from './request.js'

/** How a handler answers a request itself: the HTTP that it needs, without Fastify. */
export interface Answering {
  header(name: string, value: string | number): void
  refuse(reason: RefusalReason, message?: string): void
  /** @param body JSON in the cluster's own form; absent: none */
  send(status: number, body?: string): void
  /** Reports a fault behind the gate. */
  fault(error: Error): void
}

/** The client's conditions for an answer. */
export type Accepted = Pick<IncomingHttpHeaders, 'accept-encoding' | 'cache-control'>

/** An authorized request, as the handler of its plan gets it. */
export interface Handling {
  readonly request: Authorized
  /** For the cluster, if it gets this request. */
  readonly headers: RequestHeaders
  readonly accepted: Accepted
  readonly answering: Answering
}

/** The request to the cluster, or the answer; or the handler has already answered. */
export type Handled = UpstreamCall | StreamedAnswer | 'answered'

/** Carries out one kind of plan. */
export type Handler<P extends Plan, H extends Handled> = (handling: Handling, plan: P) => Promise<H>

/** A body that the gate writes in chunks, at the pace of the client. */
export interface StreamedAnswer {
  readonly status: number
  readonly headers: RequestHeaders
  /** Undefined: none. */
  readonly body: AnswerBody | undefined
  /** How long the client may read nothing. */
  readonly stallMs: number
}

export interface AnswerBody {
  /**
   * Resolves with the next bytes; the reader has to release them.
   * @returns undefined at the end
   * @throws the error that cut it short, after the bytes before it
   */
  next(): Promise<ChunkView | undefined>
  /** Stops reading; a second call does nothing. */
  leave(): void
  /** Texts of the cluster's trailer X-Stream-Error, read at the end; undefined: no trailer. */
  readonly streamErrors: (() => readonly string[]) | undefined
}

/** Sends a status and sentence through Fastify. */
export function answer(reply: FastifyReply, status: number, message: string): void {
  reply.code(status).header('content-type', 'application/json').send(errorBody(status, message))
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
 * Reads a request body to its end only where it is known to be small; otherwise closes the
 * connection, as keeping it would mean reading whatever the client sends.
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
