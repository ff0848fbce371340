/** What the gate adds to Fastify's and Node's request: its record, and the proofs of its phases. */
import type { IncomingMessage } from 'node:http'
import type { Encoder } from '../settings/keyring/encoder.js'
import type { Permission } from '../settings/values/permissions.js'
import type { Plan } from './plan.js'
import type { RequestRecord } from './record/record.js'
import type { Route } from './routes.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The row of the route table; absent where a path is unknown. */
    gateRoute?: Route
    /** Allowed methods of a path, where this method is not one. */
    allow?: readonly string[]
  }
}

/** Proof of authenticate: the encoder and its key. */
export type Authenticated = RequestRecord & { readonly encoder: Encoder; readonly keyId: string }

/** Proof of authorize: the plan. */
export type Authorized = Authenticated & {
  readonly route: string
  readonly permission: Permission
  readonly plan: Plan
}

/** Only Node's request object is the same before, in and after Fastify. */
const key = Symbol('record')
type Carrier = IncomingMessage & { [key]?: RequestRecord }
interface Request {
  readonly raw: Carrier
}

export function attachRecord(request: Carrier, record: RequestRecord): void {
  request[key] = record
}

/** @throws when the request did not come through receive, which is a bug */
export function recordOf({ raw }: Request): RequestRecord {
  const record = raw[key]
  if (record === undefined) throw new Error('a request without a record')
  return record
}

/** @throws before authenticate, which is a bug */
export function authenticated(request: Request): Authenticated {
  const record = recordOf(request)
  if (!isAuthenticated(record)) throw new Error('a phase before authenticate')
  return record
}

/** @throws before authorize, which is a bug */
export function authorized(request: Request): Authorized {
  const record = recordOf(request)
  if (!isAuthorized(record)) throw new Error('a phase before authorize')
  return record
}

const isAuthenticated = (record: RequestRecord): record is Authenticated =>
  record.encoder !== undefined && record.keyId !== undefined

const isAuthorized = (record: RequestRecord): record is Authorized =>
  isAuthenticated(record) &&
  record.route !== undefined &&
  record.permission !== undefined &&
  record.plan !== undefined
