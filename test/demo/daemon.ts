/** The daemon of the demo: the real program as a process, whose log is read line by line. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { bin } from '../support/daemon.js'
import { DemoError } from './options.js'

export interface DemoDaemon extends AsyncDisposable {
  readonly url: string
  /** URL of the status page. */
  readonly admin: string
  /** Settles when the process has ended, whatever ended it. */
  readonly ended: Promise<unknown>
  /** Takes the lines of the log, also those that came already. */
  onLine(take: (line: string) => void): void
}

/** @throws DemoError when it does not come to listen; what it said is on standard error */
export async function startDaemon(config: string): Promise<DemoDaemon> {
  const child = spawn(process.execPath, ['--disable-sigusr1', bin, 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Ctrl-C in a terminal reaches a whole group: the daemon is to be told once, by the demo.
    detached: true,
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  const lines: string[] = []
  let take = (line: string): void => void lines.push(line)
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    take(line)
  })
  const started = await Promise.race([listening(reader), ended.then(() => undefined)])
  if (started === undefined) throw new DemoError('the daemon did not start', 1)
  return {
    ...started,
    ended,
    onLine: (taker) => {
      take = taker
      lines.forEach(taker)
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function listening(
  reader: AsyncIterable<string>,
): Promise<{ readonly url: string; readonly admin: string } | undefined> {
  for await (const text of reader) {
    const line = JSON.parse(text) as { msg: string; url: string; admin: string }
    if (line.msg === 'listening') return { url: line.url, admin: line.admin }
  }
  return undefined
}
