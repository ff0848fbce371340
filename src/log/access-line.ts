/** The access log's line, one for every request. */
import type { Permission } from '../settings/values/permissions.js'

/**
 * How a request ended. `answered`: by the cluster. `journaled`: the gate queued the pin while the
 * cluster was down. `checked`: a balancer's health check. `refused`: by the gate. `fault`: of the
 * cluster, the store, the ledger or a lock. `aborted`: the client left or stopped reading. `bug`:
 * of the gate.
 */
export type RequestOutcome =
  'answered' | 'journaled' | 'checked' | 'refused' | 'fault' | 'aborted' | 'bug'

/** The access log's line, in the order in which it is written. Undefined ones are left out. */
export interface AccessLine {
  /** Unique per request; also sent to the client and to the cluster as X-Request-Id. */
  readonly id: string
  /** W3C Trace Context: the client's id, or a new one. */
  readonly traceId: string
  /** The authenticated encoder. */
  readonly encoder?: string | undefined
  /** Which of the encoder's keys was used. */
  readonly keyId?: string | undefined
  /** Client address; taken from X-Forwarded-For only when a trusted proxy connected. */
  readonly client: string
  /** At most 16 characters; `-` when the request line could not be read. */
  readonly method: string
  /** Path as sent, without its query; at most 256 characters, key-like text replaced. */
  readonly path: string
  /** The route that matched, e.g. `/pins/:cid`. */
  readonly route?: string | undefined
  readonly permission?: Permission | undefined
  /** Canonical spelling. */
  readonly cid?: string | undefined
  /** Status sent; 499 when the client left before one was. */
  readonly status: number
  readonly outcome: RequestOutcome
  /**
   * Why the request was not simply answered: a word of gate/refusals.ts, or `client-left` and the
   * like.
   */
  readonly reason?: string | undefined
  /** Why enforcement would have refused it, where it only observes. */
  readonly wouldRefuse?: string | undefined
  /**
   * Bytes on the connection for this request, head and framing included. Where a client pipelines,
   * bytes that it sent ahead count for the request that ends first.
   */
  readonly bytesIn: number
  readonly bytesOut: number
  /** From the arrival of the headers until the client has the last byte, without `waitedMs`. */
  readonly durationMs: number
  /** How long the request waited for its pin to reach a terminal state, with `wait=`. */
  readonly waitedMs?: number | undefined
  /**
   * Origin of a listing: read from the cluster for this request, shared with another one, or served
   * from the cache.
   */
  readonly listing?: 'fresh' | 'shared' | 'cached' | undefined
  /** From the request to the cluster until the head of its answer. */
  readonly upstreamMs?: number | undefined
  readonly upstreamStatus?: number | undefined
  /** The endpoint that answered or failed, where the cluster has several. */
  readonly endpoint?: string | undefined
  /** The exact fault of the cluster, in the HTTP client's words; no client sees it. */
  readonly upstreamError?: string | undefined
  /** Text of the cluster's X-Stream-Error trailer: a listing that ended early. */
  readonly streamError?: string | undefined
  /** At most 128 characters, key-like text replaced. */
  readonly userAgent?: string | undefined
}

/** Faults and bugs are for the operator; the rest is normal. */
export const levels = {
  answered: 'info',
  journaled: 'info',
  checked: 'info',
  refused: 'info',
  fault: 'warn',
  aborted: 'info',
  bug: 'error',
} as const satisfies Record<RequestOutcome, string>
