/**
 * Tells requests that mean this listener from those of a web page whose name was made to point at
 * it (DNS rebinding): the browser then still sends the page's name as Host.
 */
import { isIP } from 'node:net'
import { isLoopback } from '../settings/network.js'

/**
 * @param host the address or name that the listener was given
 * @param hostNames what else it is called by those who may ask
 * @returns whether a Host header names the listener, port included
 */
export function hostCheck(
  host: string,
  hostNames: readonly string[],
): (header: string, port: number) => boolean {
  const names = new Set([host, ...hostNames].map((name) => name.toLowerCase()))
  const isEverywhere = isIP(host) !== 0 && /^[0:.]+$/.test(host)

  return (header, port) => {
    const parts = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(header)
    if (parts === null || Number(parts[3] ?? 80) !== port) return false
    const name = (parts[1] ?? parts[2] ?? '').toLowerCase()
    if (parts[1] !== undefined && isIP(name) !== 6) return false
    // An address is nobody's name: it cannot be made to point elsewhere.
    return names.has(name) || isLoopback(name) || (isEverywhere && isIP(name) !== 0)
  }
}
