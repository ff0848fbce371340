/** The control socket's routes for the queue: retry now, or drop entries. */
import type { FastifyInstance } from 'fastify'
import { type NamedEntry, namedEntry, type QueueEntry } from '../ledger/queue-entry.js'
import type { Queue } from '../ledger/queue.js'
import type { Log } from '../log/log.js'
import type { Snapshot } from '../settings/snapshot.js'

export interface QueueRoutesParts {
  readonly queue: Queue
  readonly current: () => Snapshot
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
  { queue, retryQueue, current, log }: QueueRoutesParts,
  read: <T>(is: (body: unknown) => body is T, body: unknown) => T,
): void {
  const named = (entries: readonly QueueEntry[]): readonly NamedEntry[] => {
    const { keyring } = current()
    return entries.map((entry) => namedEntry(entry, (id) => keyring.encoderOf(id)?.name))
  }
  control.post('/journal/replay', () => {
    retryQueue()
    return { waiting: queue.size }
  })

  control.get('/journal', () => ({
    waiting: named(queue.entries()),
    rejected: named(queue.rejected),
  }))

  // No crash brings back what the answer says is dropped.
  control.post<{ Body: unknown }>('/journal/drop', async (request): Promise<Dropped> => {
    const which = read(isWhich, request.body)
    if (which.rejected === true) {
      const dropped = await queue.forgetRejected()
      if (dropped > 0) log.warn({ dropped }, 'an operator dropped rejected pins of the journal')
      return { dropped, left: queue.size }
    }
    const isName = current().keyring.encoder(which.encoder ?? '') !== undefined
    const entries = named(queue.entries()).filter((entry) => fits(entry, which, isName))
    const dropped = await queue.discard(entries)
    if (dropped > 0) log.warn({ ...which, dropped }, 'an operator dropped pins of the journal')
    return { dropped, left: queue.size }
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

/** @param isName whether an encoder has this name now: then it does not mean a removed one */
const fits = (entry: NamedEntry, { seq, cid, encoder }: Which, isName: boolean): boolean =>
  (seq === undefined || entry.seq === seq) &&
  (cid === undefined || entry.cid === cid) &&
  (encoder === undefined || (entry.encoder === encoder && !(isName && entry.isRemoved)))
