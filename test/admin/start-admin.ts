/** An admin listener of a test's own, on a free port of loopback unless told otherwise. */
import { request } from 'node:http'
import type { Test } from 'tap'
import { openAdmin, type AdminOptions } from '../../src/admin/admin.js'
import { type Log, openLog } from '../../src/log/log.js'
import { registerPlaces } from '../../src/admin/admin-listener.js'
import { openRegistry, type Registry } from '../../src/metrics/registry.js'

export const tcp = { host: '127.0.0.1', port: 0 }

export interface TestAdmin {
  readonly at: string
  readonly log: Log
  readonly metrics: Registry
  /** Errors that were logged as ours. */
  readonly bugs: readonly unknown[]
  ask(method: string, path: string, headers?: Record<string, string>): Promise<Answer>
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

export async function startAdmin(t: Test, parts: Partial<AdminOptions> = {}): Promise<TestAdmin> {
  const bugs: unknown[] = []
  const real = await openLog({
    ...({ level: 'error', format: 'json' } as const),
    ...{ bufferBytesMax: 65_536, file: '/dev/null' },
  })
  const log: Log = { ...real, bug: (error) => bugs.push(error) }
  const metrics = openRegistry('test')
  const admin = await openAdmin({
    address: tcp,
    log,
    ...{ metrics, places: registerPlaces(metrics).admin },
    status: () => ({ version: 'test' }),
    keys: () => Promise.resolve({ since: '2026-01-01T00:00:00.000Z', keys: [] }),
    activity: () => ({}),
    obstacles: () => [],
    isClusterUp: () => Promise.resolve(true),
    cacheMs: 0,
    ...parts,
  })
  let closing: Promise<void> | undefined
  const close = () => (closing ??= admin.close())
  t.teardown(async () => {
    await close()
    await real.close()
  })
  return { at: admin.at, log, metrics, bugs, close, ask: (...asked) => ask(admin.at, ...asked) }
}

/** @param at a URL, or a socket's path */
export function ask(
  at: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const where = at.startsWith('http://')
    ? { host: new URL(at).hostname.replace(/^\[|\]$/g, ''), port: new URL(at).port }
    : { socketPath: at }
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, method, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}
