/** Sends the handlers' answers through Fastify. */
import type { FastifyReply } from 'fastify'
import { answer, type Answering, refuse } from './answer.js'
import { faultIn } from './fault.js'
import { relayed } from './forward/relay.js'
import { faults, type UpstreamFaultReason } from './refusals.js'
import { recordOf } from './request.js'

export function answeringBy(reply: FastifyReply): Answering {
  return {
    header: (name, value) => void reply.header(name, value),
    refuse: (reason, message) => {
      refuse(reply, recordOf(reply.request), reason, message)
    },
    send: (status, body) => {
      reply.code(status).header('content-type', 'application/json')
      // Of a string Fastify would add the charset.
      reply.send(body === undefined ? undefined : Buffer.from(body))
    },
    fault: (error) => {
      answerFault(reply, error)
    },
  }
}

/**
 * 502 to 504, in a fixed sentence; the log knows more.
 *
 * @param error see {@link faultIn}
 */
export function answerFault(reply: FastifyReply, error: Error): void {
  const record = recordOf(reply.request)
  const { reason, cause } = faultIn(error)
  const { status, message } = faults[reason]
  record.fault(reason, status, cause?.message)
  if (reply.raw.destroyed) return
  for (const name of relayed) reply.removeHeader(name)
  if (status === 503) reply.header('retry-after', takesLonger(reason) ? 5 : 1)
  answer(reply, status, message)
}

const takesLonger = (reason: UpstreamFaultReason): boolean =>
  reason === 'cluster-down' || reason === 'ledger-unavailable' || reason.startsWith('store-')
