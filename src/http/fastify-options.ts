/** For Fastify's `schemaController`: no route of ours has a schema. */

const compile = (): never => {
  throw new Error('a route with a schema')
}

/** Its own compilers would be loaded all the same, and Ajv with them. */
export const noSchemas = {
  compilersFactory: { buildValidator: compile, buildSerializer: compile },
}
