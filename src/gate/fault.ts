/** Answers for a cluster that is at fault: 502 to 504, in fixed sentences; the log knows more. */
import type { FastifyReply } from 'fastify'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import { answer } from './answer.js'
import { faults } from './refusals.js'
import { relayed } from './relay.js'
import { recordOf } from './request.js'

/** @param error ours, or what the HTTP client and @fastify/reply-from made of it */
export function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const fault = faultOf(error.cause instanceof ClusterFault ? error.cause : error)
  const { status, message } = faults[fault.reason]
  record.fault(fault.reason, status, fault.cause instanceof Error ? fault.cause.message : undefined)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', fault.reason === 'cluster-down' ? 5 : 1)
  answer(reply, status, message)
}
