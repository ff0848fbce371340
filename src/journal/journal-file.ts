/** Where the journal lies, and where what cannot be read of it is put. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { readDurable } from '../disk/durable-file.js'

export const journalPath = (directory: string): string => join(directory, 'journal')

/** @returns undefined when there is no journal */
export const readJournal = (directory: string): Promise<string | undefined> =>
  readDurable(journalPath(directory))

/** What was damaged is kept beside, for whoever wants to look at it. @returns its path */
export async function setAside(directory: string, text: string): Promise<string> {
  const path = `${journalPath(directory)}.damaged`
  const handle = await open(path, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  return path
}
