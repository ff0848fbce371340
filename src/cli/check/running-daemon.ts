/** Tells whether the running daemon uses a given settings file. */
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import { resolve } from 'node:path'
import type { Held, Listener } from '../../daemon/start-problems.js'
import type { Config } from '../../settings/schema/schema.js'
import { boundedText } from '../ask-admin.js'

export interface Expected {
  /** The settings that are checked, and their file. */
  readonly config: Config
  readonly configPath: string
  readonly controlSocket: string | undefined
  readonly isTls: boolean
}

/** What answers there, as far as known. */
type Holder = 'own' | 'another' | 'none'

const waitMs = 1000

/**
 * Whether what is held is held by the daemon of these settings. Nothing is asked that needs a
 * credential. The public port does not tell whose it is: so the other listeners decide.
 */
export function ownDaemon(expected: Expected): (held: Held) => Promise<boolean> {
  const { config, configPath, controlSocket, isTls } = expected
  const { admin } = config
  const file = resolve(configPath)
  const atControl = onlyOnce(() =>
    controlSocket === undefined ? none : holderAt({ kind: 'control', socket: controlSocket }, file),
  )
  const atAdmin = onlyOnce(() =>
    admin === undefined ? none : holderAt({ kind: 'admin', ...placeOf(admin) }, file),
  )
  const isAtPort = onlyOnce(() => isGate(config.listen, isTls))
  return async (held) => {
    if (held.kind === 'control') return (await atControl()) === 'own'
    if (held.kind === 'admin') return (await atAdmin()) === 'own'
    const told = await Promise.all([atControl(), atAdmin()])
    if (told.includes('own')) return held.kind === 'ledger' || isAtPort()
    return !told.includes('another') && isAtPort()
  }
}

const none = Promise.resolve<Holder>('none')

function onlyOnce<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return () => (asked ??= ask())
}

type AdminPlace = { readonly socket: string } | { readonly host: string; readonly port: number }

const placeOf = ({ socket, host, port }: NonNullable<Config['admin']>): AdminPlace =>
  socket === undefined ? { host, port } : { socket }

/** A daemon of an older release does not say which file it has: it counts as the one. */
async function holderAt(listener: Listener, file: string): Promise<Holder> {
  try {
    const { text } = await ask(listener, listener.kind === 'control' ? '/settings' : '/status')
    const said = JSON.parse(text) as Said | null
    if (typeof said !== 'object' || said === null) return 'none'
    const isOlder = said.message?.startsWith('Route GET:/settings not found') ?? false
    if (!isOlder && typeof said.startedAt !== 'string' && typeof said.file !== 'string')
      return 'none'
    const its = said.file ?? said.settings?.file
    return its === undefined || its === file ? 'own' : 'another'
  } catch {
    return 'none'
  }
}

interface Said {
  readonly message?: string
  readonly startedAt?: unknown
  readonly settings?: { readonly file?: string }
  readonly file?: string
}

async function isGate(listen: Config['listen'], isTls: boolean): Promise<boolean> {
  try {
    const { status, challenge, hasId } = await ask({ kind: 'public', ...listen }, '/', isTls)
    // To an address with many failed attempts the gate says only that.
    return (status === 401 && challenge.includes('pinwarden')) || (status === 429 && hasId)
  } catch {
    return false
  }
}

async function ask(listener: Listener, path: string, isTls = false) {
  const options: RequestOptions = { path, agent: false, signal: AbortSignal.timeout(waitMs) }
  const request =
    'socket' in listener
      ? http.get({ ...options, socketPath: listener.socket, host: 'localhost' })
      : // Whose certificate it is does not matter: the other side gets no secret.
        (isTls ? https : http).get({ ...options, ...addressOf(listener), ...anyCertificate })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const text = await boundedText(response, textMax)
  const challenge = response.headers['www-authenticate'] ?? ''
  const hasId = response.headers['x-request-id'] !== undefined
  return { status: response.statusCode, challenge, hasId, text: text.trim() }
}

const textMax = 1024 * 1024
const anyCertificate = { rejectUnauthorized: false }

/** A listener on every address is asked on loopback. */
const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({
  host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host,
  port,
})
