/** What the listeners share of Fastify. */
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'

const compile = (): never => {
  throw new Error('a route with a schema')
}

/** Otherwise Fastify loads its own compilers, and Ajv with them. */
export const schemaController = {
  compilersFactory: { buildValidator: compile, buildSerializer: compile },
}

/** Fastify closes only servers that it started to listen. */
export async function closeNow(app: FastifyInstance): Promise<void> {
  const closed = once(app.server, 'close')
  app.server.close()
  app.server.closeAllConnections()
  await closed
  await app.close()
}
