/** Listens on a unix socket: with its mode from the first moment on, and never over another's. */
import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'

/** What fits into an address of the kernel's; libuv would cut it off in silence. */
const pathBytesMax = 107
const answerMs = 1000

/** @throws when the path is too long, taken by somebody who listens, or not a socket */
export async function listenOnSocket(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new SocketFault(`${path}: longer than the ${pathBytesMax} bytes of a socket's path`)
  }
  await removeStale(path)
  const listening = once(server, 'listening')
  // The file is made inside of listen(), so it never has another mode.
  const before = process.umask(0o777 & ~mode)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
  await listening
}

/** Removes what a process that was killed left behind. */
async function removeStale(path: string): Promise<void> {
  const holder = await socketHolder(path)
  if (holder === 'file') throw new SocketFault(`${path} is a file, and no socket`)
  if (holder === 'listener') throw new SocketFault(`another program listens at ${path}`)
  if (holder === 'abandoned') await unlink(path)
}

/** What is said of a socket's place; the errors of the system have the same field. */
class SocketFault extends Error {
  readonly syscall = 'listen'
}

/** Who has the place: nothing is there, a socket that was left behind, or what is in the way. */
export async function socketHolder(
  path: string,
): Promise<'nothing' | 'abandoned' | 'listener' | 'file'> {
  try {
    if (!(await lstat(path)).isSocket()) return 'file'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nothing'
    throw error
  }
  return (await isAbandoned(path)) ? 'abandoned' : 'listener'
}

/** Only a refusal says that no process listens: a full queue, say, means that one is busy. */
async function isAbandoned(path: string): Promise<boolean> {
  const socket = connect({ path })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(answerMs) })
    return false
  } catch (error) {
    return codeOf(error) === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined
