/** `GET /pins/{cid}?wait=25s`: answered once the pin is settled, or when the time is up. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Follower } from '../../progress/follower.js'
import type { Outage } from '../outage/outage.js'
import { recordOf } from '../request.js'

/** Waits, then sends the question for the pin's status. */
export type AwaitSettled = (
  request: FastifyRequest,
  reply: FastifyReply,
  waitMs: number,
  send: () => void,
) => void

export const createAwaitSettled =
  (follower: Follower, outage: Outage): AwaitSettled =>
  (request, reply, waitMs, send) => {
    const record = recordOf(request)
    const startMs = performance.now()
    const cid = request.upstream?.cid ?? ''
    let leave = (): void => undefined
    const done = (): void => {
      record.waitedMs = performance.now() - startMs
      send()
    }
    const settle = (): void => {
      leave = follower.wait(cid, waitMs - (performance.now() - startMs), done)
    }
    if (outage.holds(cid)) leave = outage.whenDone(cid, waitMs, settle, done)
    else settle()
    record.onClose(() => {
      if (record.waitedMs !== undefined) return
      record.waitedMs = performance.now() - startMs
      leave()
      reply.hijack()
    })
  }
