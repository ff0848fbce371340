/** What the gate adds to Fastify's and Node's request: its record. */
import type { IncomingMessage } from 'node:http'
import type { RequestRecord } from './record/record.js'
import type { Route } from './routes.js'
import type { UpstreamRequest } from './authorize/pin-request.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The row of the route table; absent where a path is unknown. */
    gateRoute?: Route
    /** Methods that a path knows, where it does not know this one. */
    allow?: readonly string[]
  }
  interface FastifyRequest {
    /** Set by authorize, used by forward. */
    upstream: UpstreamRequest | null
  }
}

/** Node's request is the only thing that is the same before, in and after Fastify. */
const key = Symbol('record')
type Carrier = IncomingMessage & { [key]?: RequestRecord }

export function attachRecord(request: Carrier, record: RequestRecord): void {
  request[key] = record
}

/** @throws when the request did not come through receive, which is a bug */
export function recordOf(request: { readonly raw: Carrier }): RequestRecord {
  const record = request.raw[key]
  if (record === undefined) throw new Error('a request without a record')
  return record
}
