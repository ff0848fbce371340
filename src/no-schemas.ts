/** For Fastify's `schemaController`: no route of ours has a schema. */

const compile = (): never => {
  throw new Error('a route with a schema')
}

/** Its own compilers would be loaded all the same: 6 MB, and a fifth of the start. */
export const noSchemas = {
  compilersFactory: { buildValidator: compile, buildSerializer: compile },
}
