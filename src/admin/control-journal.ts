/** The control socket's routes around the journal: try again now, and drop what is not wanted. */
import type { FastifyInstance } from 'fastify'
import type { Entry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import type { Log } from '../log/log.js'

export interface JournalRoutesParts {
  readonly journal: Journal
  /** Has what failed tried again now. */
  readonly again: () => void
  readonly log: Log
}

/** Which entries; all that is said must fit. */
export interface Which {
  readonly seq?: number
  readonly cid?: string
  readonly encoder?: string
}

export interface Dropped {
  readonly dropped: number
  readonly left: number
}

/** @param read gives a body that fits, or refuses it */
export function addJournalRoutes(
  control: FastifyInstance,
  { journal, again, log }: JournalRoutesParts,
  read: <T>(is: (body: unknown) => body is T, body: unknown) => T,
): void {
  control.post('/journal/replay', () => {
    again()
    return { waiting: journal.size }
  })

  control.post<{ Body: unknown }>('/journal/drop', async (request): Promise<Dropped> => {
    const which = read(isWhich, request.body)
    const entries = journal.entries().filter((entry) => fits(entry, which))
    await Promise.all(entries.map((entry) => journal.done(entry)))
    log.warn({ ...which, dropped: entries.length }, 'pins of the journal were dropped by hand')
    return { dropped: entries.length, left: journal.size }
  })
}

const isWhich = (body: unknown): body is Which => {
  if (typeof body !== 'object' || body === null) return false
  const { seq, cid, encoder, ...others } = body as Readonly<Record<string, unknown>>
  return (
    Object.keys(others).length === 0 &&
    (seq === undefined || typeof seq === 'number') &&
    (cid === undefined || typeof cid === 'string') &&
    (encoder === undefined || typeof encoder === 'string')
  )
}

const fits = (entry: Entry, { seq, cid, encoder }: Which): boolean =>
  (seq === undefined || entry.seq === seq) &&
  (cid === undefined || entry.cid === cid) &&
  (encoder === undefined || entry.encoder === encoder)
