/** Asks the running daemon, through its admin listener. */
import { once } from 'node:events'
import { get, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Config } from '../settings/schema/schema.js'
import { secondsText } from '../time/span-text.js'
import { bracketed } from './gate-url.js'
import { CommandError } from './report.js'

const waitMs = 3000

/** Every key of a very large configuration fits. */
const bytesMax = 64 * 1024 * 1024

/** As {@link askAdmin} takes it; undefined: no admin listener, or at an unknown port. */
export function adminOf({ admin }: Pick<Config, 'admin'>): string | undefined {
  if (admin?.socket !== undefined) return admin.socket
  if (admin === undefined || admin.port === 0) return undefined
  const host = anyAddress.get(admin.host) ?? admin.host
  return `http://${bracketed(host)}:${admin.port}`
}

/** A listener on every address is asked on loopback. */
const anyAddress = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/**
 * @param where a URL, or the path of a unix socket
 * @returns the answer, of any status
 * @throws CommandError when no process answers there, or not as an admin listener does
 */
export async function askAdmin(where: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(await textOf(optionsOf(where, path)))
  } catch (error) {
    const why = error instanceof SyntaxError ? 'something else answers' : reasonOf(error)
    throw new CommandError(`no answer from the daemon at ${where}: ${why}`, notThere)
  }
}

const notThere = 'does it run (systemctl status pinwarden), and did it start with this file?'

const optionsOf = (where: string, path: string): RequestOptions => {
  if (!/^https?:/.test(where)) return { socketPath: where, path, host: 'localhost' }
  const { hostname, port } = new URL(where)
  return { host: hostname.replace(/^\[|\]$/g, ''), port, path }
}

async function textOf(options: RequestOptions): Promise<string> {
  const request = get({ ...options, agent: false, signal: AbortSignal.timeout(waitMs) })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return boundedText(response, bytesMax)
}

/** @throws Error when it is longer than that */
export async function boundedText(body: AsyncIterable<unknown>, bytesMax: number): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bytesMax) throw new Error('the answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'AbortError') return `nothing within ${secondsText(waitMs)}`
  return 'code' in error ? String(error.code) : error.message
}
