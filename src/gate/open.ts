/** Opens the gate with everything it needs, and closes it without losing a request. */
import { Cluster } from '../cluster/cluster.js'
import type { Log } from '../log.js'
import type { TlsMaterial } from '../settings/secrets.js'
import type { Snapshot } from '../settings/snapshot.js'
import { Connections } from './connections.js'
import { createGate } from './gate.js'

export interface Opening {
  /** The settings in force; asked once for each request. */
  readonly current: () => Snapshot
  readonly log: Log
  readonly tls?: TlsMaterial | undefined
  /** Of pinwarden itself: named to the cluster. */
  readonly version: string
}

export interface OpenGate {
  /** Where it listens, e.g. `https://127.0.0.1:9098`. */
  readonly url: string
  /**
   * Stops accepting, lets requests under way finish within `listen.shutdownMs`, then ends every
   * connection, half-open ones at once.
   */
  close(): Promise<void>
}

/** @throws when the address cannot be listened on */
export async function openGate({ current, log, tls, version }: Opening): Promise<OpenGate> {
  const { config, endpointPasswords } = current()
  const [endpoint] = config.cluster.endpoints
  if (endpoint === undefined) throw new Error('no cluster endpoint is configured')
  const cluster = new Cluster(new URL(endpoint.url).origin, config.cluster)
  const connections = new Connections()
  const gate = await createGate({
    current,
    log,
    tls,
    cluster,
    connections,
    authorization: basicAuthorization(endpoint.username, endpointPasswords[0]),
    userAgent: `pinwarden/${version}`,
  })
  const { host, port, shutdownMs } = config.listen
  await gate.listen({ host, port })

  return {
    url: urlOf(gate.server.address(), tls !== undefined),
    close: async () => {
      const closing = gate.close()
      await connections.drain(shutdownMs)
      await closing
      await cluster.close()
    },
  }
}

function basicAuthorization(username?: string, password?: string): string | undefined {
  if (username === undefined || password === undefined) return undefined
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function urlOf(
  address: { address: string; family: string; port: number } | string | null,
  isTls: boolean,
): string {
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}
