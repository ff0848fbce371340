/** The way back of the cluster's answer: its headers, its stream, its trailer, its unread end. */
import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { faults } from './refusals.js'
import { recordOf } from './request.js'

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
 * @param streamErrors texts of the cluster's trailer X-Stream-Error, asked at the end
 * @param stallMs how long a client may take nothing of it
 */
export function relay(
  request: FastifyRequest,
  reply: FastifyReply,
  stream: Readable,
  streamErrors: () => readonly string[],
  stallMs: number,
): void {
  const { raw } = reply
  const announced = String(reply.getHeader('trailer') ?? '').toLowerCase()
  // Fastify would put it on answers that cannot have trailers, on which Node throws.
  reply.removeHeader('trailer')
  if (raw.destroyed || reply.statusCode === 204) {
    stream.on('error', () => undefined).resume()
    if (!raw.destroyed) reply.send()
    return
  }
  const isChunked = reply.getHeader('content-length') === undefined
  if (isChunked && announced === streamError) passTrailer(request, reply, stream, streamErrors)
  cutWhenStalled(request, reply, stallMs)
  stream.once('error', (error) => {
    // Our own abort, because the client has left, is no fault of the cluster's.
    if (raw.destroyed) return
    const status = raw.headersSent ? raw.statusCode : faults['cluster-cut'].status
    const cause = error.cause instanceof Error ? error.cause : error
    recordOf(request).fault('cluster-cut', status, cause.message)
  })
  void reply.send(stream)
}

/**
 * An error in the middle of a listing is told in its trailer; presence means nothing, any text is
 * an error. HTTP/1.0 has no trailers: there the connection is reset, so that it is no clean end.
 */
function passTrailer(
  request: FastifyRequest,
  reply: FastifyReply,
  stream: Readable,
  streamErrors: () => readonly string[],
): void {
  const { raw } = reply
  const isChunked = request.raw.httpVersion === '1.1'
  if (isChunked) reply.header('trailer', 'X-Stream-Error')
  // Before the pipe's own listener, which ends the answer.
  stream.once('end', () => {
    const texts = streamErrors().map(fieldValue)
    const error = texts.filter((text) => text !== '').join(', ')
    if (error !== '') recordOf(request).streamError = error
    if (isChunked) raw.addTrailers(texts.map((text) => ['X-Stream-Error', text] as const))
    else if (error !== '') raw.socket?.resetAndDestroy()
  })
}

/** What may stand in a field value (RFC 9110 §5.5); Node throws on anything else. */
const fieldValue = (text: string): string => text.replace(/[^\t\x20-\x7e]/g, '?')

/** undici waits for ever while a client takes nothing, so the client gets a limit of its own. */
function cutWhenStalled(request: FastifyRequest, reply: FastifyReply, stallMs: number): void {
  const record = recordOf(request)
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
