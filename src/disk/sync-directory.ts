/** Makes the names in a directory last through a power cut. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** Only then a rename is on disk. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
