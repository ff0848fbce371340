/** The socket that systemd listens on for the gate: it stays open across restarts. */
import { Socket } from 'node:net'
import type { Environment } from '../settings/overrides.js'
import { StartError } from './start-error.js'

/** A listening TCP socket that systemd passed to this process. */
export interface PassedSocket {
  readonly descriptor: number
  /** The address that the socket is bound to, whatever `listen.host` says. */
  readonly host: string
}

/** The first passed descriptor, after the standard three (sd_listen_fds(3)). */
const firstDescriptor = 3

/**
 * The listening socket of systemd's socket activation.
 * @returns undefined when systemd passed none to this process
 * @throws StartError when there are several, as the gate cannot know which one is its own, or when
 * the descriptor is not a TCP socket
 */
export function passedSocket(env: Environment, pid: number): PassedSocket | undefined {
  // Meant for the parent process, and inherited from it.
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
    'the socket passed to the daemon is not a TCP socket, and the gate listens on TCP only',
    'name an address or a port in pinwarden.socket, such as ListenStream=9098',
  )
}

/** @returns undefined: it is a unix socket, a connection, a file, or nothing */
function addressOf(fd: number): string | undefined {
  try {
    // Stays open and unread: closing it would close the descriptor.
    const socket = new Socket({ fd, readable: false, writable: false })
    const { address } = socket.address() as { readonly address?: string }
    return socket.remoteAddress === undefined ? address : undefined
  } catch {
    return undefined
  }
}
