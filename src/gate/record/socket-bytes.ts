/** Assigns the bytes of a connection to its requests. */
import type { Socket } from 'node:net'

/** Kept on the socket, for the reason given in connections.ts. */
const counted = Symbol('bytes counted')

interface Counted {
  read: number
  written: number
}

type CountedSocket = Socket & { [counted]?: Counted }

/** @returns the bytes since the last call for this connection */
export function accountFor(socket: CountedSocket): Counted {
  const before = socket[counted]
  const { bytesRead, bytesWritten } = socket
  socket[counted] = { read: bytesRead, written: bytesWritten }
  return {
    read: Math.max(0, bytesRead - (before?.read ?? 0)),
    // Node subtracts bytes that a cut socket had not sent.
    written: Math.max(0, bytesWritten - (before?.written ?? 0)),
  }
}

/** Received bytes of a connection that belong to no request so far. */
export const bytesUnaccounted = (socket: CountedSocket): number =>
  socket.bytesRead - (socket[counted]?.read ?? 0)
