/** Answers of the handlers, as Fastify sends them. */
import type { FastifyReply } from 'fastify'
import { type Answering, refuse } from './answer.js'
import { answerFault } from './fault.js'
import type { RefusalReason } from './refusals.js'
import { recordOf } from './request.js'

export function answeringBy(reply: FastifyReply): Answering {
  return {
    header: (name, value) => void reply.header(name, value),
    refuse: (reason: RefusalReason, message?: string) => {
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
