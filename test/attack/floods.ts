/** What attackers do with a connection. */
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Target } from './attack.js'

/** An address of loopback, so that one machine is many. */
export const addressOf = (number: number): string =>
  `127.1.${Math.floor(number / 250)}.${(number % 250) + 1}`

export interface Way {
  readonly localAddress?: string
  readonly tls?: boolean
}

/** A connection whose errors are ignored. */
export function open({ port }: Target, { localAddress, tls }: Way = {}): Socket {
  const options = { host: '127.0.0.1', port, ...(localAddress !== undefined && { localAddress }) }
  const socket =
    tls === true ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options)
  return socket.on('error', () => undefined)
}

/** So many at once, each begun again when it is over, until the signal. */
export async function crowd(
  count: number,
  signal: AbortSignal,
  one: (number: number) => Promise<void>,
): Promise<void> {
  const again = async (number: number): Promise<void> => {
    while (!signal.aborted) await one(number)
  }
  await Promise.all(Array.from({ length: count }, (_, number) => again(number)))
}

/** Writes a text again and again as fast as it is taken, until the connection ends. */
export async function flood(
  socket: Socket,
  text: string,
  { reads = true }: { readonly reads?: boolean } = {},
): Promise<void> {
  if (reads) socket.resume()
  else socket.pause()
  const write = (): void => {
    while (!socket.destroyed && socket.write(text));
  }
  socket.on('drain', write).once('connect', write)
  await closed(socket)
}

/** Asks, and asks again with each answer, until the connection ends. */
export async function ask(socket: Socket, text: string): Promise<void> {
  let answered = ''
  socket.on('data', (chunk: Buffer) => {
    answered = (answered + chunk.toString('latin1')).slice(-4096)
    const end = /\r\n\r\n[^]*\}\n/.exec(answered)
    if (end === null) return
    answered = ''
    socket.write(text)
  })
  socket.write(text)
  await closed(socket)
}

/** A moment more: an attacker that is cut has to connect again. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
  await setTimeout(1)
}
