/**
 * Refuses plain HTTP on public addresses, by the address that a socket is bound to: systemd may
 * have passed a socket on any address, and a name such as `localhost` may resolve to any.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isLoopback } from '../settings/values/network.js'
import { ConfigError } from '../settings/problems.js'
import type { ListenConfig } from '../settings/schema/schema.js'

type Allowance = Pick<ListenConfig, 'tls' | 'allowPlainHttp'>

/** @throws ConfigError without TLS, when other machines can reach one of the addresses */
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

/** The addresses to listen on; an unknown name fails in listen(). */
export async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
