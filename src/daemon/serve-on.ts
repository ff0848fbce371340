/** Starts listening, and stops without losing a request. */
import { Server as NetServer } from 'node:net'
import type { FastifyInstance, FastifyListenOptions } from 'fastify'
import type { Gate } from '../gate/gate.js'
import type { Log } from '../log/log.js'
import { isLoopback } from '../settings/values/network.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import type { PassedSocket } from './listen-descriptor.js'
import { refusePlainHttp } from './plain-http.js'

export interface ServingParts {
  readonly gate: Pick<Gate, 'app' | 'connections'>
  readonly settings: SettingsInForce
  readonly log: Log
  readonly passed: PassedSocket | undefined
}

export interface Serving extends AsyncDisposable {
  readonly url: string
}

/** @throws ConfigError for plain HTTP where it is not allowed, or the error of the address */
export async function serveOn(parts: ServingParts): Promise<Serving> {
  const { settings, log, passed } = parts
  const { app } = parts.gate
  const { listen } = settings.current().config
  const isTls = settings.tls !== undefined
  try {
    const { host, port } = listen
    await app.listen(passed === undefined ? { host, port, backlog } : inherited(passed.descriptor))
    refusePlainHttp(listen, boundTo(app), passed !== undefined)
  } catch (error) {
    await stop(parts, 0)
    throw error
  }
  const isInClear = !isTls && boundTo(app).some((address) => !isLoopback(address))
  // The settings' own warning covers a host that is not loopback.
  if (isInClear && isLoopback(listen.host))
    log.warn({ warning: unencrypted }, 'the settings have a warning')
  return {
    url: urlOf(app.server.address(), isTls),
    [Symbol.asyncDispose]: () => stop(parts, settings.current().config.listen.lingerMs),
  }
}

/** Size of the accept queue: Node's default of 511 is too small for a flood. */
const backlog = 4096

const unencrypted = 'listen.allowPlainHttp: keys, CIDs and answers are sent unencrypted'

async function stop({ gate, settings }: ServingParts, lingerMs: number) {
  const { app, connections } = gate
  // Node's HTTP server would close idle connections, and lose requests that are arriving, and
  // answers that their clients still read.
  NetServer.prototype.close.call(app.server)
  await connections.retire(lingerMs)
  await connections.drain(settings.current().config.listen.shutdownMs)
  await app.close()
}

/** Each address that the port is bound to; `localhost` may be two. */
const boundTo = (app: FastifyInstance): readonly string[] =>
  app.addresses().flatMap((bound) => (typeof bound === 'string' ? [] : [bound.address]))

/** Node needs only the descriptor; a host that is not a name keeps Fastify from resolving one. */
const inherited = (fd: number): FastifyListenOptions =>
  ({ fd, host: '0.0.0.0' }) as FastifyListenOptions

function urlOf(
  address: { address: string; family: string; port: number } | string | null,
  isTls: boolean,
): string {
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
