/** Who is at the other end: the client's address, also behind proxies that are trusted. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import proxyaddr from '@fastify/proxy-addr'
import { normalizeIP } from '@fastify/rate-limit'

export type ClientOf = (request: IncomingMessage) => string

/**
 * @param trusted addresses and CIDRs whose X-Forwarded-For is believed; from anybody else the
 *   header is ignored, so that no client can forge an address
 */
export function clientOf(trusted: readonly string[]): ClientOf {
  if (trusted.length === 0) return (request) => addressOf(request.socket.remoteAddress)
  const isTrusted = trustOf(trusted)
  return (request) => {
    let address = addressOf(request.socket.remoteAddress)
    const header = request.headers['x-forwarded-for'] ?? ''
    // The last proxy appended the last one, and so on, as far as proxies are trusted.
    const entries = (typeof header === 'string' ? header : header.join(',')).split(',').reverse()
    for (const entry of entries.map((text) => text.trim()).filter((text) => text !== '')) {
      if (!isTrusted(address)) break
      const found = addressIn(entry)
      // It is not the proxy: as that it would be let in wherever the proxy may come from.
      if (found === undefined) return unknown
      address = found
    }
    return address
  }
}

/** Some proxies append the port: `192.0.2.7:4711`, `[2001:db8::1]:4711`. */
function addressIn(entry: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry) ?? []
  const address = addressOf(bracketed ?? plain ?? entry)
  return isIP(address) === 0 ? undefined : address
}

const unknown = 'unknown'

/** Whether an address is one of a trusted proxy. */
export function trustOf(trusted: readonly string[]): (address: string) => boolean {
  const isTrusted = proxyaddr.compile([...trusted])
  return (address) => isTrusted(address, 0)
}

/** IPv4 clients of a dual-stack socket come as `::ffff:192.0.2.1`. */
export const addressOf = (address: string | undefined): string =>
  (address ?? unknown).replace(/^::ffff:(?=\d+\.)/i, '')

/** What one party holds: an IPv4 address, or an IPv6 /64. */
export const networkOf = (address: string): string =>
  address.includes(':') ? normalizeIP(address, 64) : address
