/** Sends the answers of handlers, and those to errors, through Fastify. */
import type { FastifyError, FastifyReply } from 'fastify'
import { ClusterFault } from '../cluster/faults.js'
import type { Log } from '../log/log.js'
import { StoreFault } from '../store/store-fault.js'
import { answer, closeUnlessBodyIsSmall, refuse } from './answer.js'
import type { Answering } from './handler.js'
import { faultIn, isStoreFault } from './fault.js'
import { relayed } from './forward/relay.js'
import { BadRequest, faults, type RefusalReason, type UpstreamFaultReason } from './refusals.js'
import { recordOf } from './request.js'

export function answeringBy(reply: FastifyReply): Answering {
  return {
    header: (name, value) => void reply.header(name, value),
    refuse: (reason, message) => {
      refuse(reply, recordOf(reply.request), reason, message)
    },
    send: (status, body) => {
      reply.code(status).header('content-type', 'application/json')
      // For a string, Fastify would add the charset.
      reply.send(body === undefined ? undefined : Buffer.from(body))
    },
    fault: (error) => {
      answerFault(reply, error)
    },
  }
}

/**
 * 502 to 504, in a fixed sentence; the log has more details.
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

/** Answers an error that a phase or a handler has thrown, or the stream of an answer. */
export function answerError(reply: FastifyReply, error: FastifyError, log: Log): void {
  const record = recordOf(reply.request)
  const reason = refusalOf(error)
  if (isStoreFault(error)) {
    closeUnlessBodyIsSmall(reply, record)
    answerFault(reply, error)
  } else if (reason !== undefined) {
    if (reason === 'store-unavailable') reply.header('retry-after', 5)
    refuse(reply, record, reason, error instanceof BadRequest ? error.message : undefined)
  } else if (record.isFault) {
    // The cluster broke off before any byte of its answer went out.
    answerFault(reply, new ClusterFault('cluster-cut', error))
  } else {
    record.bug()
    log.bug(error, record.id)
    answer(reply, 500, 'internal error')
  }
}

/** Fastify's own refusals, with the gate's messages. */
const fastifyRefusals = new Map<string, RefusalReason>([
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'bad-content-type'],
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'body-too-large'],
])

function refusalOf(error: FastifyError): RefusalReason | undefined {
  if (error instanceof BadRequest) return error.reason
  if (error instanceof StoreFault) return 'store-unavailable'
  return fastifyRefusals.get(error.code)
}
