/** The daemon as a process that a drill works on, and whose log file it reads along. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { followFile } from '../../src/cli/tail/follow.js'
import { bin } from '../support/daemon.js'

export interface Served {
  readonly url: string
  /** Resolves with the next line that has this message. */
  next(msg: string, withinMs?: number): Promise<unknown>
  kill(signal: NodeJS.Signals): void
  /** @returns the exit code after SIGTERM */
  stop(): Promise<number | null>
}

const waitMs = 10_000

export async function startServed(configPath: string, logPath: string): Promise<Served> {
  // The daemon appends to it.
  writeFileSync(logPath, '', { mode: 0o640 })
  const child = spawn(process.execPath, [bin, 'serve', '--config', configPath], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const exited = once(child, 'exit') as Promise<[code: number | null]>
  const messages = new EventEmitter()
  const reading = new AbortController()
  child.once('exit', () => {
    reading.abort()
  })
  const next = async (msg: string, withinMs = waitMs) =>
    (await once(messages, msg, { signal: AbortSignal.timeout(withinMs) }))[0] as { url?: string }

  const listening = next('listening')
  void readAlong(logPath, messages, reading.signal)
  const { url = '' } = await listening
  return {
    url,
    next,
    kill: (signal) => child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    },
  }
}

async function readAlong(path: string, messages: EventEmitter, signal: AbortSignal) {
  for await (const line of followFile(path, 0, signal)) {
    // Lines of requests have no message.
    if (line.includes('"msg":')) {
      const fields = JSON.parse(line) as { msg: string }
      messages.emit(fields.msg, fields)
    }
  }
}
