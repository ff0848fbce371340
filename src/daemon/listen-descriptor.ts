/** The socket that systemd listens on for the gate: it stays open across restarts. */
import { type AddressInfo, Socket } from 'node:net'
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
  const { LISTEN_FDS: text = '0' } = env
  const count = /^\d+$/.test(text) ? Number(text) : NaN
  if (count === 0) return undefined
  if (count !== 1)
    throw new StartError(
      `LISTEN_FDS=${text}: the daemon takes one socket`,
      'leave one ListenStream= in pinwarden.socket',
    )
  return socketAt(firstDescriptor)
}

function socketAt(descriptor: number): PassedSocket {
  const host = addressOf(descriptor)
  if (host !== undefined) return { descriptor, host }
  throw new StartError(
    'the socket passed to the daemon is not a bound TCP socket, and the gate listens on TCP only',
    'name an address or a port in pinwarden.socket, such as ListenStream=9098',
  )
}

/** @returns undefined: it is a unix socket, a connection, a file, or nothing */
function addressOf(fd: number): string | undefined {
  try {
    // Stays open and unread: closing it would close the descriptor.
    const socket = new Socket({ fd, readable: false, writable: false })
    const { address, port } = socket.address() as Partial<AddressInfo>
    // An unbound one would get any port of all addresses.
    return socket.remoteAddress === undefined && port !== 0 ? address : undefined
  } catch {
    return undefined
  }
}
