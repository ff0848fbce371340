/** Options of Fastify that the listeners share: no route of this program has a schema. */

const compile = (): never => {
  throw new Error('a route with a schema')
}

/** Otherwise Fastify loads its own compilers, and Ajv with them. */
export const schemaController = {
  compilersFactory: { buildValidator: compile, buildSerializer: compile },
}
