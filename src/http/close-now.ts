/** Closes a Fastify whose server was made to listen by us, without waiting for its clients. */
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'

/** Fastify closes only what it let listen itself. */
export async function closeNow(app: FastifyInstance): Promise<void> {
  const closed = once(app.server, 'close')
  app.server.close()
  app.server.closeAllConnections()
  await closed
  await app.close()
}
