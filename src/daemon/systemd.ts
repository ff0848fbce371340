/** Talks to systemd: ready, reloading, stopping, still alive. */
import { join } from 'node:path'
import type { Environment } from '../settings/overrides.js'
import type { Config } from '../settings/schema/schema.js'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Log } from '../log/log.js'
import type { Daemon } from './daemon.js'

const run = promisify(execFile)

/** systemd-notify only sends one datagram. */
const timeoutMs = 5000

/**
 * The protocol of sd_notify(3). Node has no datagram sockets, so systemd-notify sends them; the
 * unit has to allow that with NotifyAccess=all. Without a service manager all of it does nothing.
 */
export class Systemd {
  private readonly socket: string | undefined
  private readonly watchdogMs: number | undefined
  private sending: Promise<void> = Promise.resolve()
  private isDeaf = false

  constructor(
    env: Environment,
    private readonly log: Log,
  ) {
    this.socket = env.NOTIFY_SOCKET
    const isOurs = Number(env.WATCHDOG_PID ?? process.pid) === process.pid
    const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000
    this.watchdogMs = isOurs && watchdogMs > 0 ? watchdogMs : undefined
  }

  /**
   * The daemon listens, or has reloaded its settings.
   * @param status one line for `systemctl status`
   */
  ready(status: string): void {
    void this.send('READY=1', `STATUS=${status}`)
  }

  reloading(): void {
    const nowUs = process.hrtime.bigint() / 1000n
    void this.send('RELOADING=1', `MONOTONIC_USEC=${nowUs}`)
  }

  /** Resolves when systemd knows. */
  stopping(status: string): Promise<void> {
    return this.send('STOPPING=1', `STATUS=${status}`)
  }

  /**
   * Sends signs of life as often as systemd asks; systemd restarts a daemon whose event loop hangs.
   */
  keepAlive(): void {
    if (this.watchdogMs === undefined) return
    setInterval(() => void this.send('WATCHDOG=1'), this.watchdogMs / 3).unref()
  }

  /** Sends one message at a time: `ready` must not overtake `reloading`. */
  private send(...assignments: readonly string[]): Promise<void> {
    const { socket } = this
    if (socket === undefined) return Promise.resolve()
    const env = { PATH: process.env.PATH, NOTIFY_SOCKET: socket }
    this.sending = this.sending
      .then(() => run('systemd-notify', assignments, { env, timeout: timeoutMs }))
      .then(
        () => {
          this.isDeaf = false
        },
        (err: unknown) => {
          if (!this.isDeaf) this.log.warn({ err }, 'could not tell systemd the state')
          this.isDeaf = true
        },
      )
    return this.sending
  }
}

/** The line that `systemctl status` shows. */
export function servingOn({ url, settings }: Pick<Daemon, 'url' | 'settings'>): string {
  const refused = settings.state.isLastRefused ? '; the settings last read were refused' : ''
  return `serving on ${url() ?? 'nothing yet'}${refused}`
}

/**
 * @param list as in `$RUNTIME_DIRECTORY`
 * @returns the first directory, the daemon's own; undefined: none
 */
export function unitDirectory(list: string | undefined): string | undefined {
  const [directory = ''] = (list ?? '').split(':')
  return directory === '' ? undefined : directory
}

/** Path of the control socket; undefined: none. */
export function controlSocket({ control }: Config, env: Environment): string | undefined {
  if (control !== undefined) return control.socket
  const directory = unitDirectory(env.RUNTIME_DIRECTORY)
  return directory && join(directory, 'control.sock')
}
