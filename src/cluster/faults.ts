/** Faults of the cluster, as opposed to the request: the vocabulary for all of them. */
import type { AnswerHeaders } from '../http/headers.js'

export type FaultReason =
  /** No connection: refused, no route, no such host. */
  | 'cluster-unreachable'
  /** The connection ended before a whole answer's head had come. */
  | 'cluster-hung-up'
  /** No connection, or no head of an answer, within the time limit. */
  | 'cluster-timeout'
  /** Too many requests already wait for a connection. */
  | 'cluster-busy'
  /** A redirect: never passed on, as clients turn a redirected POST into a GET. */
  | 'cluster-redirect'
  /** The cluster refuses the gate's credential. */
  | 'cluster-auth'
  /** The cluster, or a proxy before it, answered 502, 503 or 504. */
  | 'cluster-unavailable'
  /** The cluster answered 500: the request failed there. Clients read its own words. */
  | 'cluster-error'
  /** An answer that the cluster's handlers never give, or that is not HTTP. */
  | 'cluster-bad-answer'
  /** No endpoint of it is available. */
  | 'cluster-down'
  /** The cluster broke off inside an answer. */
  | 'cluster-cut'

/** A fault of the cluster. The cause is for the log; clients get a fixed sentence. */
export class ClusterFault extends Error {
  override readonly name = 'ClusterFault'

  constructor(
    readonly reason: FaultReason,
    cause?: unknown,
  ) {
    super(reason, { cause })
  }
}

const reasons = new Map<string, FaultReason>([
  ['ECONNREFUSED', 'cluster-unreachable'],
  ['ENOTFOUND', 'cluster-unreachable'],
  ['EAI_AGAIN', 'cluster-unreachable'],
  ['EHOSTUNREACH', 'cluster-unreachable'],
  ['ENETUNREACH', 'cluster-unreachable'],
  ['EACCES', 'cluster-unreachable'],
  ['ENOENT', 'cluster-unreachable'],
  ['ECONNRESET', 'cluster-hung-up'],
  ['EPIPE', 'cluster-hung-up'],
  ['UND_ERR_SOCKET', 'cluster-hung-up'],
  ['ETIMEDOUT', 'cluster-timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'cluster-timeout'],
  ['UND_ERR_HEADERS_TIMEOUT', 'cluster-timeout'],
  ['UND_ERR_BODY_TIMEOUT', 'cluster-cut'],
  ['UND_ERR_DESTROYED', 'cluster-unreachable'],
  ['UND_ERR_CLOSED', 'cluster-unreachable'],
])

/** Names an error of the HTTP client; certificate and parser errors are bad answers. */
export function faultOf(error: unknown): ClusterFault {
  if (error instanceof ClusterFault) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return new ClusterFault(reasons.get(code) ?? 'cluster-bad-answer', error)
}

/** Statuses that the cluster's handlers give (cluster API, "Errors everywhere"). */
const known = new Set([200, 204, 400, 404, 500])

/** An interim answer (RFC 9110 §15.2): skipped. */
export const isInterim = (status: number): boolean => status < 200

/** Undefined when an answer may be relayed. */
export function faultOfAnswer(status: number, headers: AnswerHeaders): FaultReason | undefined {
  if (status >= 300 && status < 400) return 'cluster-redirect'
  if (status === 401 || status === 403 || status === 407) return 'cluster-auth'
  if (status >= 502 && status <= 504) return 'cluster-unavailable'
  if (!known.has(status)) return 'cluster-bad-answer'
  if (status === 204) return undefined
  return isFramed(headers) && isPlain(headers) ? undefined : 'cluster-bad-answer'
}

/** A body that ends with the connection looks the same as a cut one. */
const isFramed = (headers: AnswerHeaders): boolean =>
  'content-length' in headers || 'transfer-encoding' in headers

/** The gate did not ask for another coding, and clients would not learn of it. */
const isPlain = (headers: AnswerHeaders): boolean =>
  hasOnly(headers['content-encoding'], 'identity') &&
  hasOnly(headers['transfer-encoding'], 'chunked')

/** @param value a field's value or values; undefined: there is no such field */
const hasOnly = (value: unknown, coding: string): boolean =>
  value === undefined || (typeof value === 'string' && value.trim().toLowerCase() === coding)
