/** One daemon to a directory: two would drop each other's lines, and do each other's work. */
import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { createServer } from 'node:net'

/**
 * An abstract unix socket, which the kernel takes away with the process that holds it: after
 * `kill -9` nothing is left to be cleared up (unix(7)).
 *
 * @param what of the directory is locked, such as `journal`
 * @returns ends it
 * @throws when another process holds it
 */
export async function lockDirectory(directory: string, what: string): Promise<() => void> {
  const holder = createServer((socket) => socket.destroy())
  holder.listen(`\0pinwarden-${what}:${await realpath(directory)}`.slice(0, nameBytesMax))
  try {
    await once(holder, 'listening')
  } catch (error) {
    const isHeld = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    throw isHeld ? new Error(`another daemon has the ${what} in ${directory}`) : error
  }
  holder.unref()
  return () => {
    holder.close()
  }
}

const nameBytesMax = 100
