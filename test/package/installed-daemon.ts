/** The installed program as its own user, on a socket that is kept as systemd keeps it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Daemon } from '../support/daemon.js'

const asUser = ['setpriv', '--reuid=pinwarden', '--regid=pinwarden', '--init-groups']
const serve = [...asUser, 'pinwarden', 'serve']

/** Starts the daemon anew each time that it ends in order. */
const keeper = `
while sh -c 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"' sh "$@"; do :; done`

const stdio = ['ignore', 'pipe', 'pipe'] as const

function started(command: readonly string[]): Daemon {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: [...stdio], detached: true })
  process.once('exit', () => {
    // The whole group: the keeper and what it started.
    if (child.pid !== undefined) killGroup(child.pid)
  })
  return new Daemon(child)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

/** On a socket that stays open from one start to the next. */
export async function keptOn(port: number): Promise<{ daemon: Daemon; end(): void }> {
  const activate = ['systemd-socket-activate', '--listen', `127.0.0.1:${port}`]
  const daemon = started([...activate, 'sh', '-c', keeper, 'sh', ...serve])
  const { process: child } = daemon
  while (!daemon.stderr.includes('Listening on'))
    await Promise.race([once(child.stderr, 'data'), daemon.exited])
  return {
    daemon,
    end: () => {
      if (child.pid !== undefined) killGroup(child.pid)
    },
  }
}

const idleMs = 3000

/** How long one start takes, and how much memory it has while nobody asks. */
export async function measured(): Promise<{ readyMs: number; idleBytes: number }> {
  const startMs = performance.now()
  const daemon = started(serve)
  const { pid } = await daemon.logged('listening')
  const readyMs = performance.now() - startMs
  await setTimeout(idleMs)
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  process.kill(Number(pid), 'SIGTERM')
  await daemon.exited
  return { readyMs, idleBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024 }
}
