/** Closes a Fastify instance whose server listens by its own call, without waiting for clients. */
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'

/** Fastify closes only servers that it started to listen. */
export async function closeNow(app: FastifyInstance): Promise<void> {
  const closed = once(app.server, 'close')
  app.server.close()
  app.server.closeAllConnections()
  await closed
  await app.close()
}
