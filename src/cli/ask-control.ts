/** Tells the running daemon what to do, over its control socket. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import type { Config } from '../settings/schema/schema.js'
import { CommandError } from './report.js'

/** Where the packages' unit has its RuntimeDirectory. */
const usual = '/run/pinwarden/control.sock'

/** A batch of changes waits for the cluster, each as long as the settings allow. */
const waitMs = 300_000

/** Nobody answers at the control socket. */
export class NoDaemon extends CommandError {}

/**
 * @param config names the socket, or leaves it to where the unit has it
 * @throws NoDaemon when nobody listens there, CommandError when what is asked is refused
 */
export async function askControl(
  config: Config,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const response = await send(config, method, path, text)
  return JSON.parse(await reach(config, () => textOf(response)))
}

/**
 * @param take gets the answer as it comes
 * @throws as {@link askControl}, and whatever `take` throws
 */
export async function downloadControl(
  config: Config,
  path: string,
  take: (answer: Readable) => Promise<void>,
): Promise<void> {
  await take(await send(config, 'GET', path, ''))
}

async function send(config: Config, method: string, path: string, text: string) {
  const response = await reach(config, async () => {
    const headers = text === '' ? {} : { 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(waitMs)
    const socketPath = socketOf(config)
    const asked = request({ socketPath, method, path, headers, agent: false, signal })
    asked.end(text)
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    return response
  })
  if (response.statusCode === 200) return response
  throw new CommandError(messageIn(await reach(config, () => textOf(response))))
}

async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let answer = ''
  for await (const part of response) answer += part as string
  return answer
}

async function reach<T>(config: Config, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error'
    const why = code === 'ABORT_ERR' ? `nothing within ${waitMs / 60_000} minutes` : code
    throw new NoDaemon(`no answer of the daemon at ${socketOf(config)}: ${why}`, notThere)
  }
}

const socketOf = ({ control }: Config): string => control?.socket ?? usual

const notThere =
  'it takes a running daemon, its user or root, and outside of systemd "control": {"socket": …}'

function messageIn(answer: string): string {
  try {
    return (JSON.parse(answer) as { message: string }).message
  } catch {
    return 'something else than pinwarden answers'
  }
}
