/** The installed program as its own user: as an optional part needs it, or on a socket that is kept. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { Daemon } from '../support/daemon.js'
import { say } from './host.js'

const asUser = ['setpriv', '--reuid=pinwarden', '--regid=pinwarden', '--init-groups']
const serve = [...asUser, 'pinwarden', 'serve']

/** Restarts the daemon each time that it shuts down cleanly. */
const keeper = `
while sh -c 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"' sh "$@"; do :; done`

const stdio = ['ignore', 'pipe', 'pipe'] as const

function started(command: readonly string[], env: NodeJS.ProcessEnv = {}): Daemon {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    stdio: [...stdio],
    detached: true,
    env: { ...process.env, ...env },
  })
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

export interface Installed {
  readonly daemon: Daemon
  readonly url: string
  readonly configPath: string
  /** Of the encoder alpha. */
  readonly key: string
  readonly ask: (
    method: string,
    path: string,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly status: number; readonly text: string }>
  /** Ends the daemon in order. @throws when it does not end so */
  readonly stop: () => Promise<void>
}

/**
 * A daemon of its own, in a directory that belongs to its user.
 *
 * @param config all but the encoder and the public port, which is any free one
 */
export async function startInstalled(
  directory: string,
  config: object,
  key = generateKey(),
): Promise<Installed> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => say('id', flag, 'pinwarden')))
  mkdirSync(directory, { recursive: true })
  chownSync(directory, Number(uid), Number(gid))
  const configPath = join(directory, 'config.json')
  const encoders = { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } }
  const whole = {
    listen: { host: '127.0.0.1', port: 0, lingerMs: 0 },
    encoders,
    ledger: { directory },
    ...config,
  }
  writeFileSync(configPath, JSON.stringify(whole), { mode: 0o640 })
  chownSync(configPath, Number(uid), Number(gid))
  const daemon = started([...serve, '--config', configPath])
  const { url } = await daemon.logged('listening')
  const authorization = `Basic ${btoa(`alpha:${key}`)}`
  return {
    daemon,
    url: String(url),
    configPath,
    key,
    ask: async (method, path, others) => {
      const headers = { authorization, ...others }
      const answer = await fetch(`${String(url)}${path}`, { method, headers })
      return { status: answer.status, text: await answer.text() }
    },
    stop: async () => {
      daemon.process.kill('SIGTERM')
      const { code } = await daemon.exited
      assert.equal(code, 0, `it ended with ${String(code)}: ${daemon.stderr}`)
      const bad = daemon.lines().filter(({ level, msg }) => level === 'fatal' || msg === 'bug')
      assert.deepEqual(bad, [], 'the log has no fault of the program')
    },
  }
}

const idleMs = 3000

/** How long one start takes, and how much memory an idle daemon has. */
export async function measured(): Promise<{ readyMs: number; idleBytes: number }> {
  const startMs = performance.now()
  const daemon = started(serve)
  const { pid } = await daemon.logged('listening')
  const readyMs = performance.now() - startMs
  await setTimeout(idleMs)
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
  const commandLine = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0')
  assert(commandLine.includes('--disable-sigusr1'), 'no signal opens an inspector')
  process.kill(Number(pid), 'SIGTERM')
  await daemon.exited
  return { readyMs, idleBytes: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024 }
}
