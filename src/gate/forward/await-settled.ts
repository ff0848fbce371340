/** `GET /pins/{cid}?wait=25s`: answered once the pin is settled, or when the time is up. */
import type { Follower } from '../../progress/follower.js'
import type { Outage } from '../outage/outage.js'
import type { Authorized } from '../request.js'

/** Resolves when the pin's status is to be asked, or when the client has left. */
export type AwaitSettled = (request: Authorized, cid: string, waitMs: number) => Promise<void>

/** @param now a monotonic clock, in milliseconds */
export const createAwaitSettled =
  (follower: Follower, outage: Outage, now = () => performance.now()): AwaitSettled =>
  (request, cid, waitMs) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const startMs = now()
    let leave = (): void => undefined
    const done = (): void => {
      request.waitedMs ??= now() - startMs
      resolve(undefined)
    }
    const settle = (): void => {
      leave = follower.wait(cid, waitMs - (now() - startMs), done)
    }
    if (outage.holds(cid)) leave = outage.whenDone(cid, waitMs, settle, done)
    else settle()
    request.onClose(() => {
      if (request.waitedMs !== undefined) return
      leave()
      done()
    })
    return promise
  }
