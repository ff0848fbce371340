/** Streams values as the cluster does: a line each, flushed, with an error in a trailer. */
import { type Call, sendError } from './cluster.js'
import { type Json, jsonLine } from './json.js'

/** Thrown by a source of values: it breaks there. */
export class StreamError extends Error {}

export async function sendStream({ reply }: Call, values: Iterable<Json>): Promise<void> {
  reply.header('Trailer', 'X-Stream-Error').contentType()
  let started = false
  let trailer = ''
  try {
    for (const value of values) {
      started = true
      reply.status(200).body(jsonLine(value))
      if (!(await reply.flush())) return
    }
  } catch (error) {
    if (!(error instanceof StreamError)) throw error
    trailer = error.message
  }
  if (started) reply.trailer('X-Stream-Error', trailer)
  else if (trailer !== '') sendError(reply, 500, trailer)
  else reply.status(204)
}
