/** `GET /pins/{cid}?wait=25s`: answered once the pin is in a terminal state, or time is up. */
import type { Clock } from '../../time/clock.js'
import type { PinTracker } from '../../tracking/tracker.js'
import type { Outage } from '../outage/outage.js'
import type { Authorized } from '../request.js'

/** Resolves when it is time to read the pin's status, or when the client has left. */
export type AwaitTerminal = (request: Authorized, cid: string, waitMs: number) => Promise<void>

export interface AwaitTerminalParts {
  readonly tracker: Pick<PinTracker, 'wait'>
  readonly outage: Pick<Outage, 'isQueued' | 'whenDone'>
  readonly clock: Pick<Clock, 'monotonic'>
}

export const createAwaitTerminal =
  ({ tracker, outage, clock }: AwaitTerminalParts): AwaitTerminal =>
  (request, cid, waitMs) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const startMs = clock.monotonic()
    let leave = (): void => undefined
    const done = (): void => {
      request.waitedMs ??= clock.monotonic() - startMs
      resolve(undefined)
    }
    const settle = (): void => {
      leave = tracker.wait(cid, waitMs - (clock.monotonic() - startMs), done, request.encoder.name)
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
