/** The control socket, through which commands that change pins ask the daemon to do it. */
import { openControl, type OpenControl } from '../admin/control.js'
import type { Daemon } from './daemon.js'

type Controlled = Pick<Daemon, 'settings' | 'leases' | 'journal' | 'log'>

/** @param socket its path; undefined: there is none, and those commands say so */
export async function openControlSocket(
  { settings, leases, journal, log }: Controlled,
  socket: string | undefined,
): Promise<OpenControl | undefined> {
  if (socket === undefined) return undefined
  return openControl({ socket, current: settings.current, leases, journal, log })
}
