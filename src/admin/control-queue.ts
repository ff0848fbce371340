/** The control socket's routes for the queue: retry now, or drop entries. */
import type { FastifyInstance } from 'fastify'
import type { QueueEntry } from '../ledger/queue-entry.js'
import type { Queue } from '../ledger/queue.js'
import type { Log } from '../log/log.js'

export interface QueueRoutesParts {
  readonly queue: Queue
  /** The leaseId of the encoder of this name; undefined: no such encoder. */
  readonly holderOf: (name: string) => string | undefined
  /** Retries now what failed. */
  readonly retryQueue: () => void
  readonly log: Log
}

/** Selects waiting entries by all fields that are given; or those that the cluster refused. */
export interface Which {
  readonly seq?: number
  readonly cid?: string
  readonly encoder?: string
  readonly rejected?: true
}

export interface Dropped {
  readonly dropped: number
  readonly left: number
}

/** @param read returns a valid body, or refuses it */
export function addQueueRoutes(
  control: FastifyInstance,
  { queue, retryQueue, holderOf, log }: QueueRoutesParts,
  read: <T>(is: (body: unknown) => body is T, body: unknown) => T,
): void {
  control.post('/journal/replay', () => {
    retryQueue()
    return { waiting: queue.size }
  })

  control.get('/journal', () => ({ waiting: queue.entries(), rejected: queue.rejected }))

  control.post<{ Body: unknown }>('/journal/drop', (request): Dropped => {
    const which = read(isWhich, request.body)
    if (which.rejected === true) {
      const dropped = queue.forgetRejected()
      log.warn({ dropped }, 'an operator dropped rejected pins of the journal')
      return { dropped, left: queue.size }
    }
    const holder = which.encoder === undefined ? undefined : holderOf(which.encoder)
    const entries = queue.entries().filter((entry) => fits(entry, which, holder))
    for (const entry of entries) queue.done(entry)
    log.warn({ ...which, dropped: entries.length }, 'an operator dropped pins of the journal')
    return { dropped: entries.length, left: queue.size }
  })
}

const isWhich = (body: unknown): body is Which => {
  if (typeof body !== 'object' || body === null) return false
  const { rejected, ...waiting } = body as Readonly<Record<string, unknown>>
  const { seq, cid, encoder, ...others } = waiting
  if (rejected !== undefined) return rejected === true && Object.keys(waiting).length === 0
  return (
    Object.keys(others).length === 0 &&
    (seq === undefined || typeof seq === 'number') &&
    (cid === undefined || typeof cid === 'string') &&
    (encoder === undefined || typeof encoder === 'string')
  )
}

/** @param holder of the encoder that has this name now; undefined: no encoder has it */
const fits = (
  entry: QueueEntry,
  { seq, cid, encoder }: Which,
  holder: string | undefined,
): boolean =>
  (seq === undefined || entry.seq === seq) &&
  (cid === undefined || entry.cid === cid) &&
  (encoder === undefined ||
    (holder === undefined ? entry.encoder === encoder : entry.holder === holder))
