/** The socket that the service manager listens on for us: it stays open while we are restarted. */
import { Socket } from 'node:net'
import { StartError } from './start-error.js'

/** A TCP socket that was passed to this process, to be listened on. */
export interface PassedSocket {
  readonly descriptor: number
  /** The address that it is bound to, whatever `listen.host` says. */
  readonly host: string
}

/** The first one that is passed, after the standard three (sd_listen_fds(3)). */
const firstDescriptor = 3

/**
 * The listening socket of systemd's socket activation.
 *
 * @returns undefined when none was passed to this very process
 * @throws StartError when there are several, as which of them is the gate's would be a guess, or
 *   when what was passed is no TCP socket
 */
export function passedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): PassedSocket | undefined {
  // Inherited from a parent whom they were meant for.
  if (Number(env.LISTEN_PID) !== pid) return undefined
  const count = Number(env.LISTEN_FDS)
  if (count > 1)
    throw new StartError(
      `${count} sockets are passed to the daemon, and the gate listens on one`,
      'leave one ListenStream= in pinwarden.socket',
    )
  return count === 1 ? socketAt(firstDescriptor) : undefined
}

function socketAt(descriptor: number): PassedSocket {
  const host = addressOf(descriptor)
  if (host !== undefined) return { descriptor, host }
  throw new StartError(
    'what is passed to the daemon as its socket is no TCP socket, and the gate listens on TCP only',
    'name an address or a port in pinwarden.socket, such as ListenStream=9098',
  )
}

/** @returns undefined: it is a unix socket, a connection, a file, or nothing */
function addressOf(fd: number): string | undefined {
  try {
    // Nothing is read, and it is left open: to close it would close the descriptor.
    const socket = new Socket({ fd, readable: false, writable: false })
    const { address } = socket.address() as { readonly address?: string }
    return socket.remoteAddress === undefined ? address : undefined
  } catch {
    return undefined
  }
}
