/**
 * The guard against plain HTTP, which judges the sockets that are listened on: systemd may have
 * passed one on any address, and a name such as `localhost` may lead to any.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isLoopback } from '../settings/values/network.js'
import { ConfigError } from '../settings/problems.js'
import type { ListenConfig } from '../settings/schema/schema.js'

type Allowance = Pick<ListenConfig, 'tls' | 'allowPlainHttp'>

/** @throws ConfigError when one of the addresses is not this machine's alone, without TLS */
export function refusePlainHttp(
  { tls, allowPlainHttp }: Allowance,
  addresses: readonly string[],
  isPassed: boolean,
): void {
  if (tls !== undefined || allowPlainHttp) return
  const open = addresses.find((address) => !isLoopback(address))
  if (open === undefined) return
  throw new ConfigError([
    isPassed
      ? {
          path: 'listen',
          found: `plain HTTP on a socket that is passed to the daemon and bound to ${open}`,
          expected:
            'listen.tls, a loopback address in pinwarden.socket (ListenStream=127.0.0.1:9098), ' +
            'or "allowPlainHttp": true if something else encrypts',
        }
      : {
          path: 'listen.host',
          found: `a name that leads to ${open}, without TLS`,
          expected:
            'listen.tls, a loopback address, or "allowPlainHttp": true if something else encrypts',
        },
  ])
}

/** What is about to be listened on; a name that leads nowhere fails when it is listened on. */
export async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
