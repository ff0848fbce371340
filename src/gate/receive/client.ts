/** The client's address, also behind trusted proxies. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import proxyaddr from '@fastify/proxy-addr'
import { normalizeIP } from '@fastify/rate-limit'

export type ClientOf = (request: IncomingMessage) => string

/**
 * @param trusted addresses and CIDRs whose X-Forwarded-For counts; from other addresses the gate
 * ignores the header, so that no client can forge an address
 */
export function clientOf(trusted: readonly string[]): ClientOf {
  if (trusted.length === 0) return (request) => addressOf(request.socket.remoteAddress)
  const isTrusted = trustOf(trusted)
  return (request) => {
    let address = addressOf(request.socket.remoteAddress)
    const header = request.headers['x-forwarded-for']
    if (header === undefined) return address
    // Reads from the end: each trusted proxy appended the address before it, and an empty entry
    // where it did not know that address.
    const entries = (typeof header === 'string' ? header : header.join(',')).split(',').reverse()
    for (const entry of entries.map((text) => text.trim())) {
      if (!isTrusted(address)) break
      const found = addressIn(entry)
      // Not the proxy's address, which would match any `from` that includes the proxy.
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

/** Whether an address belongs to a trusted proxy. */
export function trustOf(trusted: readonly string[]): (address: string) => boolean {
  const isTrusted = proxyaddr.compile([...trusted])
  return (address) => isTrusted(address, 0)
}

/** IPv4 clients of a dual-stack socket appear as `::ffff:192.0.2.1`. */
export const addressOf = (address: string | undefined): string =>
  (address ?? unknown).replace(/^::ffff:(?=\d+\.)/i, '')

/** The network of one party: an IPv4 address, or an IPv6 /64. */
export const networkOf = (address: string): string =>
  address.includes(':') ? normalizeIP(address, 64) : address
