/** Relays the cluster's answer: its headers, its stream, its trailer, its unread end. */
import type { OutgoingHttpHeaders } from 'node:http'
import { pipeline, type Readable, Transform } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Body } from '../../cluster/answer-handler.js'
import { Whole } from '../../cluster/whole.js'
import type { AnswerHeaders } from '../../http/headers.js'
import { ShownLines, shownRecord, shownStatus, shownStatuses } from '../../leases/shown.js'
import { faultOf } from '../../cluster/faults.js'
import { cutWhenStalled } from '../answer.js'
import { faults } from '../refusals.js'
import type { UpstreamCall } from '../plan.js'
import { authorized, recordOf } from '../request.js'
import { operations } from '../routes.js'

export const relayed = ['content-type', 'content-length', 'trailer'] as const

/** An allow-list: no other header of the cluster reaches clients. */
export function relayedHeaders(headers: AnswerHeaders): AnswerHeaders {
  const kept: Record<string, string | string[]> = {}
  for (const name of relayed) {
    const value = headers[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

const streamError = 'x-stream-error'

/**
 * Passes the answer on as it comes; an early end is never a clean end.
 * @param cids that the lines of a stream have to be about; undefined: unknown
 * @param own lines of the gate, after those of the stream
 * @param streamErrors texts of the cluster's trailer X-Stream-Error, read at the end
 */
export function relay(
  reply: FastifyReply,
  answer: Body,
  { cids, lines: own = [] }: UpstreamCall,
  streamErrors: StreamErrors,
): void {
  const { raw } = reply
  const announced = String(reply.getHeader('trailer') ?? '').toLowerCase()
  // Fastify would add it to answers that cannot have trailers, where Node throws.
  reply.removeHeader('trailer')
  if (reply.statusCode === 500) noteError(reply, answer)
  if (answer instanceof Whole) {
    if (!raw.destroyed) sendWhole(reply, answer)
    return
  }
  const isShown = reply.statusCode === 200
  const body = isShown ? shownBody(answer, cids, own) : answer
  // The length without the hidden parts is still unknown.
  if (isShown) reply.removeHeader('content-length')
  if (raw.destroyed || reply.statusCode === 204) {
    body.on('error', () => undefined).resume()
    if (!raw.destroyed) reply.send()
    return
  }
  const isChunked = reply.getHeader('content-length') === undefined
  if (isChunked && announced === streamError) passTrailer(reply, body, streamErrors)
  const record = recordOf(reply.request)
  cutWhenStalled(raw, record, record.snapshot.config.listen.stallMs)
  body.once('error', (error) => {
    // If the gate aborts because the client has left, the cluster is not at fault.
    if (raw.destroyed) return
    noteCut(reply, error)
    if (raw.headersSent) cut(reply)
  })
  void reply.send(body)
}

/** Both the client and the log get the cluster's own words. */
function noteError({ request }: FastifyReply, answer: Body): void {
  const text = answer instanceof Whole ? answer.text.trim() : undefined
  recordOf(request).fault('cluster-error', 500, text)
}

/** As encoders see it. */
function shown({ statusCode, request }: FastifyReply, answer: Whole): Whole {
  if (statusCode !== 200) return answer
  const { showsPins } = operations[authorized(request).permission]
  const bytes = (showsPins ? shownStatus : shownRecord)(answer.bytes)
  return bytes === answer.bytes ? answer : new Whole(bytes)
}

/** The same, line by line. An exception in a stream of Node would end the daemon. */
function shownBody(
  body: Readable,
  cids: readonly string[] | undefined,
  own: readonly string[],
): Readable {
  const lines = new ShownLines(shownStatuses(cids && new Set(cids)))
  const clean = new Transform({
    transform(piece: Buffer, _encoding, done) {
      try {
        for (const part of lines.take(piece)) this.push(part)
        done()
      } catch (error) {
        done(faultOf(error))
      }
    },
    flush(done) {
      try {
        lines.finish()
        for (const line of own) this.push(line)
        done()
      } catch (error) {
        done(faultOf(error))
      }
    },
  })
  // Ending one ends the other with its error, and both events arrive here.
  pipeline(body, clean, () => undefined)
  return clean
}

/** The cluster broke off; the client's view depends on whether bytes have gone out. */
export function noteCut(reply: FastifyReply, error: Error): void {
  const { raw } = reply
  const status = raw.headersSent ? raw.statusCode : faults['cluster-cut'].status
  const cause = error.cause instanceof Error ? error.cause : error
  recordOf(reply.request).fault('cluster-cut', status, cause.message)
}

/**
 * Head and body in one write: as one string, as Node joins strings only (latin1 keeps the bytes).
 * If it ended in the same turn, writev would get two pieces, which costs five times a write; in the
 * next turn there is nothing left to write.
 */
function sendWhole(reply: FastifyReply, answer: Whole): void {
  const { raw, statusCode } = reply
  const { latin1 } = shown(reply, answer)
  reply.hijack()
  reply.header('content-length', latin1.length)
  raw.writeHead(statusCode, reply.getHeaders() as OutgoingHttpHeaders)
  if (latin1 !== '') raw.write(latin1, 'latin1')
  process.nextTick(() => raw.end())
}

/** Never a clean end: for an answer without a length, the end has to be a reset. */
export function cut(reply: FastifyReply): void {
  if (hasTrailers(reply)) reply.raw.destroy()
  else reply.raw.socket?.resetAndDestroy()
}

export type StreamErrors = () => readonly string[]

function passTrailer(reply: FastifyReply, body: Readable, streamErrors: StreamErrors): void {
  if (hasTrailers(reply)) reply.header('trailer', 'X-Stream-Error')
  // Runs before the pipe's own listener, which ends the answer.
  body.once('end', () => {
    sendStreamErrors(reply, streamErrors())
  })
}

export const hasTrailers = ({ request }: FastifyReply): boolean => request.raw.httpVersion === '1.1'

/**
 * Reports an error in the middle of a listing in its trailer; an empty trailer means success.
 * HTTP/1.0 has no trailers: there the gate resets the connection, so that the end is not clean.
 */
export function sendStreamErrors(reply: FastifyReply, texts: readonly string[]): void {
  const { raw } = reply
  const values = texts.map(fieldValue)
  const error = values.filter((text) => text !== '').join(', ')
  if (error !== '') recordOf(reply.request).streamError = error
  if (hasTrailers(reply)) raw.addTrailers(values.map((text) => ['X-Stream-Error', text] as const))
  else if (error !== '') cut(reply)
}

/** Characters of a field value (RFC 9110 §5.5); Node throws on others. */
const fieldValue = (text: string): string => text.replace(/[^\t\x20-\x7e]/g, '?')
