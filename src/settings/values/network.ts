/** Addresses and CIDRs: telling good ones from bad, and matching a peer against them. */
import { BlockList, isIP } from 'node:net'

interface Network {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly prefix: number
}

/** A list that answers whether a peer is in one of the networks; undefined if there are none. */
export function blockListOf(networks: readonly string[]): BlockList | undefined {
  if (networks.length === 0) return undefined
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) throw new Error('a network came past the validation')
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return list
}

export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined
}

/** Zone ids are refused: they name an interface of one machine, and BlockList would drop them. */
function parseNetwork(text: string): Network | undefined {
  const parts = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text)
  const address = parts?.[1] ?? ''
  const version = isIP(address)
  if (version === 0) return undefined
  const bits = version === 4 ? 32 : 128
  const prefix = Number(parts?.[2] ?? bits)
  return prefix > bits ? undefined : { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix }
}

/** An address, or a host name as DNS has them: no port, no brackets, no URL. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true
  if (/^[\d.]+$/.test(text)) return false
  return /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(text)
}

const loopback = blockListOf(['127.0.0.0/8', '::1'])

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  const version = isIP(host)
  return version !== 0 && loopback?.check(host, version === 4 ? 'ipv4' : 'ipv6') === true
}

/** The same for the host of a URL, which has its IPv6 addresses in brackets. */
export function isLoopbackUrl(url: string): boolean {
  return isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''))
}
