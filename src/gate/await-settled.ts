/** `GET /pins/{cid}?wait=25s`: answered once the pin is settled, or when the time is up. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Follower } from '../progress/follower.js'
import { recordOf } from './request.js'

/** Waits, then sends the question for the pin's status. */
export type AwaitSettled = (
  request: FastifyRequest,
  reply: FastifyReply,
  waitMs: number,
  send: () => void,
) => void

export const createAwaitSettled =
  (follower: Follower): AwaitSettled =>
  (request, reply, waitMs, send) => {
    const record = recordOf(request)
    const startMs = performance.now()
    const leave = follower.wait(request.upstream?.cid ?? '', waitMs, () => {
      record.waitedMs = performance.now() - startMs
      send()
    })
    record.onClose(() => {
      if (record.waitedMs !== undefined) return
      record.waitedMs = performance.now() - startMs
      leave()
      reply.hijack()
    })
  }
