/** The daemon of the soak: the real one, as a process whose state is looked at from outside. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { bin, nodeFlags } from '../support/daemon.js'
import type { Places } from './settings.js'

export interface SoakDaemon {
  readonly url: URL
  kill(signal: NodeJS.Signals): void
  /** SIGTERM. */
  stop(): Promise<{ readonly code: number | null; readonly ms: number }>
  rssBytes(): number
  descriptors(): number
  metrics(): Promise<Metrics>
}

const startMs = 10_000

/** @param onComplaint gets what it writes to standard error: there should be nothing */
export async function startDaemon(
  { config, log, admin }: Places,
  onComplaint: (line: string) => void,
): Promise<SoakDaemon> {
  const child = spawn(process.execPath, [...nodeFlags, bin, 'serve', '--config', config], {
    stdio: ['ignore', 'inherit', 'pipe'],
    // As systemd/pinwarden.service has it.
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
  })
  createInterface({ input: child.stderr }).on('line', onComplaint)
  process.once('exit', () => child.kill('SIGKILL'))
  const exited = once(child, 'exit') as Promise<[code: number | null]>
  const proc = `/proc/${child.pid ?? 0}`
  const url = await listening(log, () => child.exitCode === null)
  return {
    url: new URL(url),
    kill: (signal) => child.kill(signal),
    stop: async () => {
      const fromMs = performance.now()
      child.kill('SIGTERM')
      const [code] = await exited
      return { code, ms: Math.round(performance.now() - fromMs) }
    },
    rssBytes: () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`${proc}/status`, 'utf8'))?.[1]) * 1024,
    descriptors: () => readdirSync(`${proc}/fd`).length,
    metrics: () => readMetrics(admin),
  }
}

/** The URL in the log's first lines. */
async function listening(log: string, isAlive: () => boolean): Promise<string> {
  for (let waitedMs = 0; waitedMs < startMs && isAlive(); waitedMs += 50) {
    await setTimeout(50)
    const line = linesOf(log).find((text) => text.includes('"msg":"listening"'))
    if (line !== undefined) return (JSON.parse(line) as { url: string }).url
  }
  throw new Error('the daemon does not listen')
}

function linesOf(log: string): string[] {
  try {
    return readFileSync(log, 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

/** What `/metrics` says: series by name with labels. */
export class Metrics {
  private readonly series: readonly (readonly [name: string, value: number])[]

  constructor(exposition: string) {
    this.series = exposition
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))] as const
      })
  }

  /** Of all series of that name. */
  sum(name: string): number {
    return this.series
      .filter(([series]) => series === name || series.startsWith(`${name}{`))
      .reduce((sum, [, value]) => sum + value, 0)
  }

  /** By the value of a label. */
  by(name: string, label: string): ReadonlyMap<string, number> {
    const value = new RegExp(`^${name}\\{.*\\b${label}="([^"]*)"`)
    return new Map(
      this.series.flatMap(([series, count]) => {
        const found = value.exec(series)?.[1]
        return found === undefined ? [] : [[found, count] as const]
      }),
    )
  }
}

async function readMetrics(socketPath: string): Promise<Metrics> {
  const request = get({ socketPath, path: '/metrics', agent: false })
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
  return new Metrics(await text(response))
}
