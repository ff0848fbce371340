/** Checks libp2p peer IDs and multiaddrs before they reach the cluster, which acts on bad ones. */
import { isIPv4, isIPv6 } from 'node:net'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { decode as decodeDigest } from 'multiformats/hashes/digest'
import { canonicalCid } from './cid.js'

/** With its alphabet: the decoder reads any character past U+00FF as a zero. */
const base58Id = /^(12D3|16Uiu2|Qm)[1-9A-HJ-NP-Za-km-z]+$/
const libp2pKey = 0x72

/** A peer ID: a base58 multihash (`12D3…`, `Qm…`) or a CID with the libp2p-key codec (`k51…`). */
export function isPeerId(text: string): boolean {
  if (text.length > 128) return false
  if (base58Id.test(text)) {
    try {
      decodeDigest(base58btc.baseDecode(text))
      return true
    } catch {
      return false
    }
  }
  const cid = /^(k51|bafz)/.test(text) ? canonicalCid(text) : undefined
  return cid !== undefined && CID.parse(cid).code === libp2pKey
}

const hostName = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?$/
const hosts = new Map<string, (text: string) => boolean>([
  ['ip4', isIPv4],
  // Go reads no zone here: it is a protocol of its own.
  ['ip6', (text) => isIPv6(text) && !text.includes('%')],
  ['dns', (text) => hostName.test(text)],
  ['dns4', (text) => hostName.test(text)],
  ['dns6', (text) => hostName.test(text)],
  ['dnsaddr', (text) => hostName.test(text)],
])
const transport = /^(\/(tcp|udp)\/([0-9]{1,5}))?(\/(quic|quic-v1|ws|wss|tls|webtransport))*$/

/**
 * A multiaddr that Kubo could dial, ending in `/p2p/ID`. A conservative part of the format: unknown
 * parts are refused, as the cluster would answer 400 and pin without them.
 */
export function isDialableAddress(text: string): boolean {
  const match = /^\/([a-z0-9]+)\/([^/]+)(\/.*?)?\/p2p\/([^/]+)$/.exec(text)
  if (match === null) return false
  const [, protocol = '', host = '', middle = '', peer = ''] = match
  const port = transport.exec(middle)
  if (port === null || Number(port[3] ?? 0) > 65_535) return false
  return hosts.get(protocol)?.(host) === true && isPeerId(peer)
}
