/** Puts pin tracking together: reads states of pins, emits events and logs them. */
import { ClusterFault } from '../cluster/faults.js'
import { encodeQuery, fittingCids } from '../cluster/query.js'
import type { Timers } from '../time/clock.js'
import { PinTracker } from './tracker.js'
import type { PinEvent } from './tracked-pin.js'
import type { Logger } from '../log/logger.js'

/** Reads the status of the pins that a query asks for, line by line. */
export type ReadPins = (query: string, take: (line: Buffer) => void) => Promise<void>

export interface TrackingParts extends Timers {
  readonly readPins: ReadPins
  /** Reads the status of each pin that is queued or being pinned, from the cluster's memory. */
  readonly readPending: (take: (line: Buffer) => void) => Promise<void>
  /** For the log. */
  readonly log: Logger
  /** For metrics and status page. */
  readonly onEvent: (event: PinEvent) => void
}

export function trackPins({
  readPins,
  readPending,
  log,
  onEvent,
  ...clock
}: TrackingParts): PinTracker {
  return new PinTracker({
    readQueue: readPending,
    readStatus: async (cids, take) => {
      for (let left = cids; left.length > 0;) {
        const some = fittingCids(left)
        await readPins(encodeQuery([['cids', some.join(',')]]), take)
        left = left.slice(some.length)
      }
    },
    onEvent: (event) => {
      logEvent(event, log)
      onEvent(event)
    },
    onError: (err) => {
      if (err instanceof ClusterFault) log('warn', { err }, 'could not read pending pins yet')
      else log('error', { err }, 'pin tracking failed')
    },
    ...clock,
  })
}

function logEvent({ cid, encoder, result, ms, error }: PinEvent, log: Logger): void {
  const afterMs = Math.round(ms)
  if (result === 'failed') {
    const why = plainWords(error)
    log('warn', { cid, encoder, afterMs, why }, 'a pin failed: the cluster will try it again')
  } else if (result === 'recovered')
    log('info', { cid, encoder, afterMs }, 'a pin that had failed is pinned now')
  else if (result === 'given-up')
    log('warn', { cid, encoder, afterMs }, 'gave up tracking a pin that is still pending')
}

const textBytesMax = 256

/** First match first; Kubo's own words come behind `Message:` (ipfsconn/ipfshttp). */
const words: readonly (readonly [RegExp, string])[] = [
  [
    // The cluster cancels a pin without progress after a time limit, and all pins when it stops.
    /context (?:canceled|deadline exceeded)/,
    'the cluster gave up before Kubo had it: no progress in its pin_timeout, or a restart',
  ],
  [/operation queue is full/, 'the queue of the cluster is full'],
  [/connection refused|no such host|no route to host/, 'the IPFS daemon cannot be reached'],
  [/no space left on device|disk quota exceeded/, 'the disk of the IPFS daemon is full'],
]

/**
 * Explains in plain words why a pin failed: the cluster only reports what its code saw.
 *
 * @param error the text of a `pin_error`
 */
export function plainWords(error: string): string {
  const known = words.find(([pattern]) => pattern.test(error))
  if (known !== undefined) return known[1]
  const kubo = /\bMessage: ([\s\S]+)/.exec(error)?.[1]
  const text = kubo === undefined ? error : `the IPFS daemon says: ${kubo}`
  return text === '' ? 'the cluster does not say why' : text.slice(0, textBytesMax)
}
