/** The input and output of a handler, independent of Fastify. */
import type { IncomingHttpHeaders } from 'node:http'
import type { RequestHeaders } from '../http/headers.js'
import type { ChunkView } from '../listings/chunk.js'
import type { Plan, UpstreamCall } from './plan.js'
import type { RefusalReason } from './refusals.js'
import type { Authorized } from './request.js'

/** Carries out one kind of plan. */
export type Handler<P extends Plan, H extends Handled> = (handling: Handling, plan: P) => Promise<H>

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

/** How a handler answers a request itself: the HTTP that it needs, without Fastify. */
export interface Answering {
  header(name: string, value: string | number): void
  refuse(reason: RefusalReason, message?: string): void
  /** @param body JSON in the cluster's own form; absent: none */
  send(status: number, body?: string): void
  /** Reports a fault behind the gate. */
  fault(error: Error): void
}

/** An answer whose body the gate writes in chunks, at the pace of the client. */
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
