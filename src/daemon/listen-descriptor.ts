/** The socket that the service manager listens on for us: it stays open while we are restarted. */
import { CommandError } from '../cli/report.js'

/** The first one that is passed, after the standard three (sd_listen_fds(3)). */
const firstDescriptor = 3

/**
 * The descriptor of a listening socket, by systemd's socket activation.
 *
 * @returns undefined when none was passed to this very process
 * @throws CommandError when there are several: which of them is the gate's would be a guess
 */
export function listenDescriptor(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  // Inherited from a parent whom they were meant for.
  if (Number(env.LISTEN_PID) !== pid) return undefined
  const count = Number(env.LISTEN_FDS)
  if (count > 1)
    throw new CommandError(
      `${count} sockets are passed to the daemon, and the gate listens on one`,
      'leave one ListenStream= in pinwarden.socket',
    )
  return count === 1 ? firstDescriptor : undefined
}
