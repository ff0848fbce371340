/** Reads request bodies to their end and drops them, as the cluster does. */
import type { FastifyInstance } from 'fastify'
import { BadRequest } from '../refusals.js'

/**
 * The encoder sends the four bytes `null` with a POST, and a JSON content type without a body with
 * a DELETE; Fastify's own parsers refuse the latter.
 *
 * @param bodyBytesMax a longer body is refused as soon as it is known to be longer
 */
export function dropBodies(app: FastifyInstance, bodyBytesMax: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, payload, done) => {
    let bytes = 0
    const read = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes > bodyBytesMax) end(new BadRequest('body-too-large'))
    }
    const end = (error: Error | null = null): void => {
      payload.off('data', read).off('end', end).pause()
      done(error)
    }
    payload.on('data', read).on('end', end)
  })
}
