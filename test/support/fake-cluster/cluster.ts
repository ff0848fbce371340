/** What the routes of the fake cluster work on, and what each call brings. */
import type { Json } from './json.js'
import { jsonLine } from './json.js'
import type { Peer } from './peer.js'
import type { Query } from './query.js'
import type { ReceivedRequest } from './received.js'
import type { Reply } from './reply.js'
import type { PinState, Status } from './state.js'

export interface Cluster {
  readonly peer: Peer
  readonly pins: PinState
  kuboDown: boolean
  /** What becomes of a pin as soon as it is posted or recovered. */
  statusOfNewPins: Status
  /** Undefined: authentication is off. */
  readonly credential: { readonly username: string; readonly password: string } | undefined
}

export interface Call {
  readonly cluster: Cluster
  readonly request: ReceivedRequest
  readonly reply: Reply
  readonly query: Query
  /** The variable parts of the path, decoded. */
  readonly vars: readonly string[]
}

/** Fills the call's reply; what it returns is only waited for. */
export type Handler = (call: Call) => unknown

/** One JSON value; a second one goes behind it and leaves the status as it was, as in Go. */
export function sendJson(reply: Reply, status: number, value: Json): Reply {
  return reply.status(status).contentType().body(jsonLine(value))
}

export function sendError(reply: Reply, code: number, message: string): Reply {
  return sendJson(reply, code, { code, message })
}

export function sendNothing(reply: Reply, status: number): Reply {
  return reply.status(status).contentType()
}
