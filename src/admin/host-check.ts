/**
 * Refuses requests from web pages whose name was changed to resolve to this listener (DNS
 * rebinding): the browser still sends the page's name as Host.
 */
import { isIP } from 'node:net'
import { isLoopback } from '../settings/values/network.js'

/** Whether a Host header, on a connection to a port of the daemon, names the listener. */
export type HostCheck = (header: string, port: number) => boolean

/**
 * @param host the address or name in the settings
 * @param hostNames other names under which callers may ask
 */
export function hostCheck(host: string, hostNames: readonly string[]): HostCheck {
  const given = new Set(hostNames.map((name) => name.toLowerCase()))
  const isEverywhere = isIP(host) !== 0 && /^[0:.]+$/.test(host)

  return (header, port) => {
    const named = nameIn(header)
    if (named === undefined) return false
    const { name } = named
    // A stranger cannot make loopback's names point elsewhere; behind a tunnel the port differs.
    // The operator configured the others, and a container network or a mapped port may lead to
    // them.
    if (isLoopback(name) || given.has(name)) return true
    if (named.port !== port) return false
    return name === host.toLowerCase() || (isEverywhere && isIP(name) !== 0)
  }
}

/**
 * The same for a socket, which a tunnel may bring to a browser: it allows any name that a stranger
 * cannot own.
 */
export const socketHostCheck: HostCheck = (header) => {
  if (header === '') return true
  const name = nameIn(header)?.name
  return name !== undefined && (isLoopback(name) || !name.includes('.'))
}

function nameIn(header: string): { readonly name: string; readonly port: number } | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(header)
  if (parts === null) return undefined
  if (parts[1] !== undefined && isIP(parts[1]) !== 6) return undefined
  return { name: (parts[1] ?? parts[2] ?? '').toLowerCase(), port: Number(parts[3] ?? 80) }
}
