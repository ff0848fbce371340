/** Asks the running daemon, through its admin listener. */
import { once } from 'node:events'
import { get, type IncomingMessage, type RequestOptions } from 'node:http'
import { resolve } from 'node:path'
import { ownHeader } from '../admin/admin-listener.js'
import { refusal, systemText } from '../disk/refusal.js'
import type { Config } from '../settings/schema/schema.js'
import { secondsText } from '../time/span-text.js'
import { bracketed } from './gate-url.js'
import { CommandError, UsageError } from './report.js'

const waitMs = 3000

/** Fits every key of a very large configuration. */
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
  const options = optionsOf(where, path)
  try {
    return JSON.parse(await textOf(options))
  } catch (error) {
    if (error instanceof CommandError) throw error
    const place = options.socketPath ?? new URL(where).host
    throw new CommandError(`no answer from the daemon: ${connectFault(place, error)}`, notThere)
  }
}

const notThere = 'is it running (systemctl status pinwarden), and did it start with this file?'

export const optionsOf = (where: string, path: string): RequestOptions => {
  const isUrl = where.startsWith('http:')
  if (isUrl ? !URL.canParse(where) : /^[^/]*:(?:\d+$|\/\/)/.test(where))
    throw new UsageError(
      `${where} is not a URL of an admin listener`,
      'such as http://127.0.0.1:9099',
    )
  if (!isUrl) return { socketPath: resolve(where), path, host: 'localhost' }
  const { hostname, port } = new URL(where)
  return { host: hostname.replace(/^\[|\]$/g, ''), port, path }
}

async function textOf(options: RequestOptions): Promise<string> {
  const request = get({ ...options, agent: false, signal: AbortSignal.timeout(waitMs) })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  if (!isOwn(response))
    throw new CommandError(
      `the program at ${options.socketPath ?? `${options.host}:${options.port}`} ` +
        'is not an admin listener of pinwarden',
      notThere,
    )
  return boundedText(response, bytesMax)
}

/** Whether a daemon of this program answers, and no other. */
export const isOwn = ({ headers }: IncomingMessage): boolean => headers[ownHeader] !== undefined

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

/**
 * In words why a program does not answer.
 * @param where host and port, or the path of a socket
 */
export function connectFault(where: string, error: unknown, limitMs = waitMs): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof SyntaxError) return `another program answers at ${where}`
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return `${where} sent nothing within ${secondsText(limitMs)}`
  const code = 'code' in error ? String(error.code) : undefined
  if (code === undefined) return `${where}: ${error.message}`
  if (code.startsWith('HPE_')) return `the program at ${where} does not speak HTTP`
  const name = 'hostname' in error ? String(error.hostname) : where
  if (where.startsWith('/') && code !== 'ECONNREFUSED' && code !== 'ECONNRESET')
    return refusal(where, code, 'write to')
  return (
    {
      ECONNREFUSED: `nothing listens at ${where}`,
      ECONNRESET: `the program at ${where} hung up without an answer`,
      ENOTFOUND: `the name ${name} has no address`,
      EAI_AGAIN: `the name ${name} cannot be resolved now`,
      ETIMEDOUT: `${where} does not answer`,
    }[code] ?? `${where} cannot be reached: ${systemText(code)}`
  )
}
