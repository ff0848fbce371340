/** Faults of the fallback Kubo, or of one pin there, and their reasons. */
import { KuboRefusal, KuboStall } from './kubo.js'

/** Faults of the daemon itself. */
export type FallbackFaultReason =
  /** No connection: refused, no route, no such host. */
  | 'fallback-unreachable'
  /** The connection ended before a whole answer. */
  | 'fallback-hung-up'
  /** No connection, or no answer, in time. */
  | 'fallback-timeout'
  /** An answer that is not Kubo's, or not HTTP. */
  | 'fallback-bad-answer'

/** Faults of one pin: the daemon answered, and could not pin it. */
type FallbackPinReason =
  /** The daemon answered with an error. */
  | 'fallback-refused'
  /** The pin made no progress: no peer offers what it needs. */
  | 'fallback-stalled'

export type FallbackReason = FallbackFaultReason | FallbackPinReason

const reasons = new Map<string, FallbackFaultReason>([
  ['ECONNREFUSED', 'fallback-unreachable'],
  ['ENOTFOUND', 'fallback-unreachable'],
  ['EAI_AGAIN', 'fallback-unreachable'],
  ['EHOSTUNREACH', 'fallback-unreachable'],
  ['ENETUNREACH', 'fallback-unreachable'],
  ['ECONNRESET', 'fallback-hung-up'],
  ['EPIPE', 'fallback-hung-up'],
  ['UND_ERR_SOCKET', 'fallback-hung-up'],
  ['ETIMEDOUT', 'fallback-timeout'],
  ['UND_ERR_CONNECT_TIMEOUT', 'fallback-timeout'],
])

/** Names an error of {@link Kubo}. */
export function fallbackReasonOf(error: unknown): FallbackReason {
  if (error instanceof KuboRefusal) return 'fallback-refused'
  if (error instanceof KuboStall) return 'fallback-stalled'
  if (!(error instanceof Error)) return 'fallback-bad-answer'
  // The error of AbortSignal.timeout.
  if (error.name === 'TimeoutError') return 'fallback-timeout'
  const code = 'code' in error ? String(error.code) : ''
  return reasons.get(code) ?? 'fallback-bad-answer'
}

/** Whether the fault counts against the daemon's health. */
export const isOfDaemon = (reason: FallbackReason): reason is FallbackFaultReason =>
  reason !== 'fallback-refused' && reason !== 'fallback-stalled'
