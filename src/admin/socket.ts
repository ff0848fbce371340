/**
 * Listens on a unix socket: with its mode from the first moment on, and never in the place of a
 * live one.
 */
import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'

/** The kernel's limit; libuv would cut a longer path off in silence. */
const pathBytesMax = 107
const answerMs = 1000

/** @throws when the path is too long, another process listens there, or it is not a socket */
export async function listenOnSocket(server: Server, path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > pathBytesMax) {
    throw new SocketFault(`${path}: longer than the ${pathBytesMax} bytes of a socket's path`)
  }
  await removeStale(path)
  const listening = once(server, 'listening')
  // listen() creates the file, so it never has another mode.
  const before = process.umask(0o777 & ~mode)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
  await listening
}

/** Removes the socket that a killed process left behind. */
async function removeStale(path: string): Promise<void> {
  const holder = await socketHolder(path)
  if (holder === 'file') throw new SocketFault(notSocket(path))
  if (holder === 'listener') throw new SocketFault(`another program listens at ${path}`)
  if (holder === 'abandoned') await unlink(path)
}

/** The path is taken by something other than a socket. */
export const notSocket = (path: string): string =>
  `${path} is there, but is not a socket: remove it, or name another path`

/** The errors of a socket's place; system errors have the same field. */
class SocketFault extends Error {
  readonly syscall = 'listen'
}

/** What the path names: nothing, a socket that was left behind, or something else. */
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
