/** `pinwarden status`: the state of the running daemon, from its admin listener. */
import { adminOf } from '../ask-admin.js'
import { configInUse } from '../config-faults.js'
import type { JsonCalled } from '../command-line.js'
import type { Io } from '../io.js'
import { CommandError, hint } from '../report.js'
import { askStatus, statusText } from './status-view.js'

export interface StatusOptions extends JsonCalled {
  /** Instead of what the configuration says: a URL, or the path of a socket. */
  readonly admin: string | undefined
  /** Succeed for any daemon that answers, even if it is not ready. */
  readonly live?: boolean
  /** Seconds after which it is asked again, until Ctrl-C; true: 2; undefined: asked once. */
  readonly watch?: string | true | undefined
  readonly signal?: AbortSignal
}

async function adminIn(configPath: string, io: Io): Promise<string | undefined> {
  const { config, isBroken } = await configInUse(configPath, io, false)
  if (!isBroken) return adminOf(config)
  hint(io, 'use --admin if its admin listener is not at the default address')
  return adminOf({ admin: config.admin ?? usualAdmin })
}

const usualAdmin = { host: '127.0.0.1', port: 9099, allowRemote: false, hostNames: [] }

/** @returns 0: ready, or only live where that is asked, or watched; 1: not so, or no answer */
export async function status(options: StatusOptions, io: Io): Promise<number> {
  const { configPath, admin, json, live = false, watch, signal } = options
  const where = admin ?? (await adminIn(configPath, io))
  if (where === undefined)
    throw new CommandError(
      `${configPath} has no admin section, or one with port 0`,
      'add "admin": {} to it and restart, or name the listener with --admin',
    )
  if (watch !== undefined) {
    const { intervalOf, watchStatus } = await import('./status-watch.js')
    return watchStatus(
      { where, everyMs: intervalOf(watch === true ? '2' : watch), json, signal },
      io,
    )
  }
  const shown = await askStatus(where)
  io.stdout.write(json ? `${JSON.stringify(shown, null, 2)}\n` : statusText(shown, Date.now()))
  return shown.ready || live ? 0 : 1
}
