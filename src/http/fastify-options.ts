/** Options of Fastify that the listeners share: no route of this program has a schema. */

const compile = (): never => {
  throw new Error('a route with a schema')
}

/** Without it Fastify would load its own compilers all the same, and Ajv with them. */
export const schemaController = {
  compilersFactory: { buildValidator: compile, buildSerializer: compile },
}
