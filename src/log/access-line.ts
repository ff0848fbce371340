/** The access log's line: what is said of every request, whatever happened to it. */
import type { Permission } from '../settings/values/permissions.js'

/**
 * How a request ended: `answered` by the cluster; `journaled` by us while the cluster is away;
 * `checked`: a balancer asked whether the gate serves; `refused` by us; `fault` of the cluster,
 * the store, the ledger or a lock; `aborted` because the client left or stopped reading; `bug` of
 * ours.
 */
export type RequestOutcome =
  'answered' | 'journaled' | 'checked' | 'refused' | 'fault' | 'aborted' | 'bug'

/** The access log's line, in the order in which it is written. Undefined ones are left out. */
export interface AccessLine {
  /** Unique per request; also sent to the client and to the cluster as X-Request-Id. */
  readonly id: string
  /** Of W3C Trace Context: the client's, or begun here. */
  readonly traceId: string
  /** Who asked: only names that were authenticated. */
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
  /** Why it was not simply answered: a word of gate/refusals.ts, or `client-left` and the like. */
  readonly reason?: string | undefined
  /** Why it would have been refused, where that is only observed. */
  readonly wouldRefuse?: string | undefined
  /**
   * Bytes read from and written to the connection for it, head and framing included. Where a client
   * pipelines, what it sent ahead counts for the request that ends first.
   */
  readonly bytesIn: number
  readonly bytesOut: number
  /** From the head's arrival to the last byte taken, without what it asked to wait. */
  readonly durationMs: number
  /** How long its answer waited for the pin to reach a terminal state, as it had asked for. */
  readonly waitedMs?: number | undefined
  /** Of a listing: asked of the cluster for it, shared with one under way, or served again. */
  readonly listing?: 'fresh' | 'shared' | 'cached' | undefined
  /** From asking the cluster to the head of its answer. */
  readonly upstreamMs?: number | undefined
  readonly upstreamStatus?: number | undefined
  /** Who answered, or failed to, where the cluster has several endpoints. */
  readonly endpoint?: string | undefined
  /** What exactly was wrong with the cluster, in the HTTP client's words; never sent to anybody. */
  readonly upstreamError?: string | undefined
  /** Text of the cluster's X-Stream-Error trailer: a listing that ended early. */
  readonly streamError?: string | undefined
  /** At most 128 characters, key-like text replaced. */
  readonly userAgent?: string | undefined
}

/** Faults and bugs are for the operator; all else is a day's work. */
export const levels = {
  answered: 'info',
  journaled: 'info',
  checked: 'info',
  refused: 'info',
  fault: 'warn',
  aborted: 'info',
  bug: 'error',
} as const satisfies Record<RequestOutcome, string>
