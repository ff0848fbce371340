/** Answers for a cluster that is at fault: 502 to 504, in fixed sentences; the log knows more. */
import type { FastifyReply } from 'fastify'
import { ClusterFault, faultOf, type FaultReason } from '../cluster/faults.js'
import { answer } from './answer.js'
import { faults } from './refusals.js'
import { relayed } from './forward/relay.js'
import { recordOf } from './request.js'

/** What exactly was wrong, with the HTTP client's own error if there is one. */
export interface FoundFault {
  readonly reason: FaultReason
  readonly cause: Error | undefined
}

/** @param error ours, or what the HTTP client and @fastify/reply-from made of it */
export function faultIn(error: Error): FoundFault {
  const { reason, cause } = faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  return { reason, cause: cause instanceof Error ? cause : undefined }
}

/** @param error see {@link faultIn} */
export function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const { reason, cause } = faultIn(error)
  const { status, message } = faults[reason]
  record.fault(reason, status, cause?.message)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', reason === 'cluster-down' ? 5 : 1)
  answer(reply, status, message)
}
