/** Tells the running daemon what to do, over its control socket. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import type { Config } from '../settings/schema/schema.js'
import { CommandError } from './report.js'
import { unitDirectory } from '../daemon/unit-directory.js'

/** Where the packages' unit has its RuntimeDirectory. */
const usual = '/run/pinwarden/control.sock'

/** A batch of changes waits for the cluster, each as long as the settings allow. */
const waitMs = 300_000

/** Where the daemon listens; undefined: nowhere. */
export function controlSocket(
  { control }: Config,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (control !== undefined) return control.socket
  const directory = unitDirectory(env.RUNTIME_DIRECTORY)
  return directory && join(directory, 'control.sock')
}

/**
 * @param config names the socket, or leaves it to where the unit has it
 * @throws CommandError when nobody listens there, or what is asked is refused
 */
export async function askControl(
  { control }: Config,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const socketPath = control?.socket ?? usual
  const text = body === undefined ? '' : JSON.stringify(body)
  const { status, answer } = await exchange(socketPath, method, path, text)
  if (status === 200) return JSON.parse(answer)
  throw new CommandError(messageIn(answer))
}

async function exchange(socketPath: string, method: string, path: string, text: string) {
  try {
    const headers = text === '' ? {} : { 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(waitMs)
    const asked = request({ socketPath, method, path, headers, agent: false, signal })
    asked.end(text)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    response.setEncoding('utf8')
    let answer = ''
    for await (const part of response) answer += part as string
    return { status: response.statusCode ?? 0, answer }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    const why = code === 'ABORT_ERR' ? `nothing within ${waitMs / 60_000} minutes` : code
    throw new CommandError(`no answer of the daemon at ${socketPath}: ${why}`, notThere)
  }
}

const notThere =
  'it takes a running daemon, its user or root, and outside of systemd "control": {"socket": …}'

function messageIn(answer: string): string {
  try {
    return (JSON.parse(answer) as { message: string }).message
  } catch {
    return 'something else than pinwarden answers'
  }
}
