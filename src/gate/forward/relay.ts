/** Relays the cluster's answer: its headers, its stream, its trailer, its unread end. */
import type { OutgoingHttpHeaders } from 'node:http'
import { pipeline, type Readable, Transform } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Body } from '../../cluster/answer-handler.js'
import { Whole } from '../../cluster/whole.js'
import { ShownLines, shownRecord, shownStatus, shownStatuses } from '../../leases/shown.js'
import { faultOf } from '../../cluster/faults.js'
import { faults } from '../refusals.js'
import type { UpstreamCall } from '../plan.js'
import { authorized, recordOf } from '../request.js'
import { operations } from '../routes.js'

export const relayed = ['content-type', 'content-length', 'trailer'] as const

/** An allow-list: nothing of the cluster's connection or configuration goes out. */
export function relayedHeaders(headers: Record<string, string>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of relayed) {
    const value = headers[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}

const streamError = 'x-stream-error'

/**
 * Sends the answer on as it comes; whatever ends it early is never a clean end.
 *
 * @param cids that the lines of a stream have to be about; undefined: it is not known which
 * @param own lines that follow those of a stream
 * @param streamErrors texts of the cluster's trailer X-Stream-Error, asked at the end
 */
export function relay(
  reply: FastifyReply,
  answer: Body,
  { cids, lines: own = [] }: UpstreamCall,
  streamErrors: StreamErrors,
): void {
  const { raw } = reply
  const announced = String(reply.getHeader('trailer') ?? '').toLowerCase()
  // Fastify would put it on answers that cannot have trailers, on which Node throws.
  reply.removeHeader('trailer')
  if (reply.statusCode === 500) noteError(reply, answer)
  if (answer instanceof Whole) {
    if (!raw.destroyed) sendWhole(reply, answer)
    return
  }
  const isShown = reply.statusCode === 200
  const body = isShown ? shownBody(answer, cids, own) : answer
  // It is not known yet how long it is as encoders see it.
  if (isShown) reply.removeHeader('content-length')
  if (raw.destroyed || reply.statusCode === 204) {
    body.on('error', () => undefined).resume()
    if (!raw.destroyed) reply.send()
    return
  }
  const isChunked = reply.getHeader('content-length') === undefined
  if (isChunked && announced === streamError) passTrailer(reply, body, streamErrors)
  cutWhenStalled(reply, recordOf(reply.request).snapshot.config.listen.stallMs)
  body.once('error', (error) => {
    // The gate's own abort, because the client has left, is not the cluster's fault.
    if (raw.destroyed) return
    noteCut(reply, error)
    if (raw.headersSent) cut(reply)
  })
  void reply.send(body)
}

/** The client reads the cluster's own words, and so does the log. */
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

/** The same, line by line. What is thrown in a stream of Node's would end the daemon. */
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
  // It ends the other one, and with its error; both are then heard of here.
  pipeline(body, clean, () => undefined)
  return clean
}

/** The cluster broke off; what the client reads of it depends on whether anything went out. */
export function noteCut(reply: FastifyReply, error: Error): void {
  const { raw } = reply
  const status = raw.headersSent ? raw.statusCode : faults['cluster-cut'].status
  const cause = error.cause instanceof Error ? error.cause : error
  recordOf(reply.request).fault('cluster-cut', status, cause.message)
}

/**
 * Head and body in one write: as one string, as Node joins strings only (latin1 keeps the bytes).
 * Ended at once, it would be two pieces for writev, which costs five times a write; in the next
 * turn there is nothing left to write.
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

/** Never a clean end: where the length of an answer is not told, its end has to be a reset. */
export function cut(reply: FastifyReply): void {
  if (hasTrailers(reply)) reply.raw.destroy()
  else reply.raw.socket?.resetAndDestroy()
}

export type StreamErrors = () => readonly string[]

function passTrailer(reply: FastifyReply, body: Readable, streamErrors: StreamErrors): void {
  if (hasTrailers(reply)) reply.header('trailer', 'X-Stream-Error')
  // Before the pipe's own listener, which ends the answer.
  body.once('end', () => {
    sendStreamErrors(reply, streamErrors())
  })
}

export const hasTrailers = ({ request }: FastifyReply): boolean => request.raw.httpVersion === '1.1'

/**
 * An error in the middle of a listing is told in its trailer; presence means nothing, any text is
 * an error. HTTP/1.0 has no trailers: there the connection is reset, so that it is no clean end.
 */
export function sendStreamErrors(reply: FastifyReply, texts: readonly string[]): void {
  const { raw } = reply
  const values = texts.map(fieldValue)
  const error = values.filter((text) => text !== '').join(', ')
  if (error !== '') recordOf(reply.request).streamError = error
  if (hasTrailers(reply)) raw.addTrailers(values.map((text) => ['X-Stream-Error', text] as const))
  else if (error !== '') cut(reply)
}

/** What may stand in a field value (RFC 9110 §5.5); Node throws on anything else. */
const fieldValue = (text: string): string => text.replace(/[^\t\x20-\x7e]/g, '?')

/** undici waits for ever while a client takes nothing, so the client gets a limit of its own. */
export function cutWhenStalled(reply: FastifyReply, stallMs: number): void {
  const record = recordOf(reply.request)
  const { raw } = reply
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
