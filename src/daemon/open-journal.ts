/** Opens the journal where one is wanted, or where an earlier run has left pins in one. */
import { Journal } from '../journal/journal.js'
import { readJournal } from '../journal/journal-file.js'
import type { Config } from '../settings/schema/schema.js'
import type { Logger } from '../log/logger.js'

/** @throws when it is wanted and cannot be had */
export async function openJournal(
  { onOutage, journal: { directory, entriesMax } }: Config,
  log: Logger,
): Promise<Journal | undefined> {
  const isWanted = onOutage === 'journal' || (await isLeft(directory))
  return isWanted ? Journal.open({ directory, entriesMax, tell: log }) : undefined
}

/** Whoever goes back to refusing still wants what was accepted before. */
async function isLeft(directory: string): Promise<boolean> {
  // Where it cannot be read, this daemon has not written it.
  const text = await readJournal(directory).catch(() => undefined)
  return text !== undefined && text !== ''
}
