/** Which bytes of a connection its requests have accounted for. */
import type { Socket } from 'node:net'

/** On the socket, for the reason given in connections.ts. */
const counted = Symbol('bytes counted')

interface Counted {
  read: number
  written: number
}

type CountedSocket = Socket & { [counted]?: Counted }

/** @returns the bytes since the last call for this connection: they are the caller's */
export function accountFor(socket: CountedSocket): Counted {
  const before = socket[counted]
  const { bytesRead, bytesWritten } = socket
  socket[counted] = { read: bytesRead, written: bytesWritten }
  return {
    read: Math.max(0, bytesRead - (before?.read ?? 0)),
    // Node takes back what a cut socket had not sent yet.
    written: Math.max(0, bytesWritten - (before?.written ?? 0)),
  }
}

/** Bytes that arrived on a connection and belong to no request yet. */
export const bytesUnaccounted = (socket: CountedSocket): number =>
  socket.bytesRead - (socket[counted]?.read ?? 0)
