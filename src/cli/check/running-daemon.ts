/** Tells a daemon of pinwarden from other programs that have the same port or socket. */
import { once } from 'node:events'
import http, { type IncomingMessage, type RequestOptions } from 'node:http'
import https from 'node:https'
import type { Listener } from '../../daemon/start-problems.js'

const waitMs = 1000

/** Whether one answers there as only pinwarden does. Nothing is asked that needs a credential. */
export async function isDaemonAt(listener: Listener, isTls: boolean): Promise<boolean> {
  try {
    const { status, challenge, text } = await ask(listener, isTls && listener.kind === 'public')
    if (listener.kind === 'public') return status === 401 && challenge.includes('pinwarden')
    if (listener.kind === 'admin') return text === '{"healthy":true}'
    return status === 404 && text.startsWith('{"message":"Route GET:/ not found"')
  } catch {
    return false
  }
}

async function ask(listener: Listener, isTls: boolean) {
  const path = listener.kind === 'admin' ? '/healthz' : '/'
  const options: RequestOptions = { path, agent: false, signal: AbortSignal.timeout(waitMs) }
  const request =
    'socket' in listener
      ? http.get({ ...options, socketPath: listener.socket, host: 'localhost' })
      : // Whose certificate it is does not matter: nothing is told to the other side.
        (isTls ? https : http).get({ ...options, ...addressOf(listener), ...anyCertificate })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.setEncoding('utf8')
  let text = ''
  for await (const part of response) {
    text += part as string
    if (text.length > textMax) break
  }
  const challenge = response.headers['www-authenticate'] ?? ''
  return { status: response.statusCode, challenge, text: text.trim() }
}

const textMax = 4096
const anyCertificate = { rejectUnauthorized: false }

/** A listener on every address is asked on loopback. */
const addressOf = ({ host, port }: { readonly host: string; readonly port: number }) => ({
  host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host,
  port,
})
