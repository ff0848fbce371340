/** `GET /pins/{cid}?wait=25s`: answered once the pin is in a terminal state, or time is up. */
import type { PinTracker } from '../../tracking/tracker.js'
import type { Outage } from '../outage/outage.js'
import type { Authorized } from '../request.js'

/** Resolves when the pin's status is to be asked, or when the client has left. */
export type AwaitTerminal = (request: Authorized, cid: string, waitMs: number) => Promise<void>

/** @param now a monotonic clock, in milliseconds */
export const createAwaitTerminal =
  (tracker: PinTracker, outage: Outage, now = () => performance.now()): AwaitTerminal =>
  (request, cid, waitMs) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const startMs = now()
    let leave = (): void => undefined
    const done = (): void => {
      request.waitedMs ??= now() - startMs
      resolve(undefined)
    }
    const settle = (): void => {
      leave = tracker.wait(cid, waitMs - (now() - startMs), done, request.encoder.name)
    }
    if (outage.isQueued(cid)) leave = outage.whenDone(cid, waitMs, settle, done)
    else settle()
    request.onClose(() => {
      if (request.waitedMs !== undefined) return
      leave()
      done()
    })
    return promise
  }
