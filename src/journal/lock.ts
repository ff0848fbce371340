/** One daemon to a journal: two would make each other's pins, and drop each other's lines. */
import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { createServer } from 'node:net'

/**
 * An abstract unix socket, which the kernel takes away with the process that holds it: after
 * `kill -9` nothing is left to be cleared up (unix(7)).
 *
 * @returns ends it
 * @throws when another process holds it
 */
export async function lockJournal(directory: string): Promise<() => void> {
  const holder = createServer((socket) => socket.destroy())
  holder.listen(`\0pinwarden-journal:${await realpath(directory)}`.slice(0, nameBytesMax))
  try {
    await once(holder, 'listening')
  } catch (error) {
    const isHeld = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    throw isHeld ? new Error(`another daemon has the journal in ${directory}`) : error
  }
  holder.unref()
  return () => {
    holder.close()
  }
}

const nameBytesMax = 100
