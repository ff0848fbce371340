/** Who is at the other end: the client's address, also behind proxies that are trusted. */
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import proxyaddr from '@fastify/proxy-addr'
import { normalizeIP } from '@fastify/rate-limit'

export type ClientOf = (request: IncomingMessage) => string

/**
 * @param trusted addresses and CIDRs whose X-Forwarded-For is believed; from anybody else the
 *   header is ignored, so that nobody can forge an address
 */
export function clientOf(trusted: readonly string[]): ClientOf {
  if (trusted.length === 0) return (request) => addressOf(request.socket.remoteAddress)
  const isTrusted = trustOf(trusted)
  return (request) => {
    const forwarded = addressOf(proxyaddr(request, isTrusted))
    return isIP(forwarded) === 0 ? addressOf(request.socket.remoteAddress) : forwarded
  }
}

/** Whether an address is one of a trusted proxy. */
export function trustOf(trusted: readonly string[]): (address: string) => boolean {
  const isTrusted = proxyaddr.compile([...trusted])
  return (address) => isTrusted(address, 0)
}

/** IPv4 clients of a dual-stack socket come as `::ffff:192.0.2.1`. */
export const addressOf = (address: string | undefined): string =>
  (address ?? 'unknown').replace(/^::ffff:(?=\d+\.)/i, '')

/** What one party holds: an IPv4 address, or an IPv6 /64. */
export const networkOf = (address: string): string =>
  address.includes(':') ? normalizeIP(address, 64) : address
