/** Sends operators' commands to the running daemon, over its control socket. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Readable } from 'node:stream'
import { silenceMsMax } from '../admin/control-pulse.js'
import { faults } from '../gate/refusals.js'
import type { Config } from '../settings/schema/schema.js'
import { boundedText, connectFault, isOwn } from './ask-admin.js'
import { CommandError } from './report.js'

/** In the RuntimeDirectory of the packages' unit. */
const usual = '/run/pinwarden/control.sock'

/** Fits every waiting pin of a very long queue. */
const answerBytesMax = 256 * 1024 * 1024

/** The daemon did not do what it was asked for. */
export class ControlFault extends CommandError {
  /** @param mayHaveActed false: it changed nothing */
  constructor(
    message: string,
    hint: string | undefined,
    readonly mayHaveActed: boolean,
  ) {
    super(message, hint)
  }
}

/** No daemon answers at the control socket. */
export class NoDaemon extends ControlFault {}

/**
 * @param config names the socket, or leaves it to where the unit has it
 * @param silenceMs how long the daemon may be silent
 * @throws NoDaemon when nothing answers there, ControlFault when what is asked is refused
 */
export async function askControl(
  config: Config,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  silenceMs = silenceMsMax,
): Promise<unknown> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const read = async (answer: IncomingMessage) =>
    JSON.parse(await boundedText(answer, answerBytesMax)) as unknown
  return exchange(config, { method, path, text, silenceMs }, read)
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
  await exchange(config, { method: 'GET', path, text: '', silenceMs: silenceMsMax }, take)
}

interface Question {
  readonly method: string
  readonly path: string
  readonly text: string
  readonly silenceMs: number
}

async function exchange<T>(
  config: Config,
  { method, path, text, silenceMs }: Question,
  take: (answer: IncomingMessage) => Promise<T>,
): Promise<T> {
  const socketPath = config.control?.socket ?? usual
  const headers = text === '' ? {} : { 'content-type': 'application/json' }
  const asked = request({ socketPath, method, path, headers, agent: false })
  const seen = { isSilent: false }
  const giveUp = (): void => {
    seen.isSilent = true
    asked.destroy()
  }
  // Single bytes do not show that it lives.
  const timer = setTimeout(giveUp, silenceMs)
  asked.on('information', () => timer.refresh())
  try {
    asked.end(text)
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    clearTimeout(timer)
    if (!isOwn(answer)) throw new ControlFault(`${anotherAnswers} ${socketPath}`, notThere, false)
    asked.setTimeout(silenceMs, giveUp)
    const { statusCode = 0 } = answer
    if (statusCode !== 200) {
      const message = messageIn(await boundedText(answer, answerBytesMax))
      throw new ControlFault(message, undefined, statusCode >= 500)
    }
    return await take(answer)
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw faultOf(error, socketPath, seen.isSilent ? silenceMs : undefined)
  } finally {
    clearTimeout(timer)
    asked.destroy()
  }
}

/** @param silentMs time without a sign of life; undefined: another failure */
function faultOf(error: unknown, socketPath: string, silentMs: number | undefined): unknown {
  if (silentMs !== undefined) {
    const text = `the daemon at ${socketPath} has given no sign of life for ${silentMs / 1000} s`
    return new NoDaemon(text, 'it hangs, or was stopped (SIGSTOP): see its log and `ps`', true)
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  if (code === undefined) return error
  if (code === 'EACCES')
    return new NoDaemon(
      `this user may not use the control socket ${socketPath}`,
      "only the daemon's user and root may: try it with sudo",
      false,
    )
  const text = `no answer from the daemon: ${connectFault(socketPath, error)}`
  const hint = socketPath === usual ? notThere : 'is it running (systemctl status pinwarden)?'
  return new NoDaemon(text, hint, code !== 'ENOENT' && code !== 'ECONNREFUSED')
}

const notThere =
  'is it running (systemctl status pinwarden)? Without systemd it needs "control": {"socket": …}'

const anotherAnswers = 'another program answers at the control socket'

function messageIn(answer: string): string {
  const { message } = JSON.parse(answer) as { readonly message: string }
  return sentenceOf(message)
}

/** The daemon names a fault behind it by its reason. */
export function sentenceOf(message: string): string {
  const [reason = ''] = /^[a-z-]+/.exec(message) ?? []
  const known = new Map(Object.entries(faults)).get(reason)
  return known === undefined
    ? message
    : `${known.message} (${reason})${message.slice(reason.length)}`
}
