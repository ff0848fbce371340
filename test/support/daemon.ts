/** The real program as a process of its own: started from a config file, read by its log. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const built = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const bundle = built('bundle/dist/src/cli/main.js')

/** `npm test` bundles it, as the package does: a daemon then starts in two thirds of the time. */
export const bin = existsSync(bundle) ? bundle : built('src/main.js')

/** Flags with which the unit and the packages start Node. */
export const nodeFlags = ['--disable-sigusr1', '--max-semi-space-size=16'] as const

export interface LogLine extends Record<string, unknown> {
  readonly msg: string
}

export class Daemon {
  stdout = ''
  stderr = ''
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>

  constructor(readonly process: ChildProcessByStdio<null, Readable, Readable>) {
    process.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    process.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.exited = once(process, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }))
  }

  /** The log line with this message, the first or a later one; waits for it. */
  async logged(msg: string, index = 0): Promise<LogLine> {
    for (;;) {
      const found = this.lines().filter((line) => line.msg === msg)[index]
      if (found !== undefined) return found
      const { exitCode, signalCode } = this.process
      if (exitCode !== null || signalCode !== null)
        throw new Error(`ended without "${msg}": ${this.stderr}`)
      await Promise.race([once(this.process.stdout, 'data'), this.exited])
    }
  }

  lines(): LogLine[] {
    const complete = this.stdout.slice(0, this.stdout.lastIndexOf('\n') + 1)
    return complete
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as LogLine)
  }
}

/** Runs `pinwarden` with arguments; killed when the test is over, if it still runs. */
export function run(
  t: Test,
  args: readonly string[],
  flags: readonly string[] = [],
  env = process.env,
): Daemon {
  // The test runner has every child load its own hooks, which takes longer than the program does.
  const plain = ['-u', 'NODE_OPTIONS', process.execPath]
  const child = spawn('env', [...plain, ...flags, bin, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return new Daemon(child)
}

/** `pinwarden serve` with a config; resolves once it listens. */
export async function startDaemon(t: Test, config: object, flags: readonly string[] = []) {
  const configPath = join(t.testdir({}), 'config.json')
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o640 })
  const daemon = run(t, ['serve', '--config', configPath], flags)
  const { url } = await daemon.logged('listening')
  return { daemon, url: String(url), configPath }
}
