/** Reads multiaddrs with the error texts of go-multiaddr: so much of them as origins need. */
import { isIPv4, isIPv6 } from 'node:net'
import { quoted } from './go-quote.js'
import { checkPeerId } from './peer-ids.js'

type Check = (value: string) => string | undefined

const port: Check = (value) => {
  if (/^\d+$/.test(value) && Number(value) < 65536) return undefined
  const why = /^\d+$/.test(value) ? 'value out of range' : 'invalid syntax'
  return `failed to parse port addr: strconv.ParseUint: parsing ${quoted(value)}: ${why}`
}

/** Protocol → what is wrong with its value; `undefined` for those without one. */
const protocols = new Map<string, Check | undefined>([
  ['ip4', (value) => (isIPv4(value) ? undefined : `failed to parse ip4 addr: ${value}`)],
  ['ip6', (value) => (isIPv6(value) ? undefined : `failed to parse ip6 addr: ${value}`)],
  ['tcp', port],
  ['udp', port],
  ['dns', () => undefined],
  ['dns4', () => undefined],
  ['dns6', () => undefined],
  ['dnsaddr', () => undefined],
  ['quic', undefined],
  ['quic-v1', undefined],
  ['ws', undefined],
  ['wss', undefined],
  ['tls', undefined],
  ['webtransport', undefined],
  ['p2p-circuit', undefined],
  ['p2p', peer],
])

/** @throws Error with the text of go-multiaddr */
export function checkOrigin(address: string): void {
  const text = address.replace(/\/+$/, '')
  const failed = (why: string) =>
    new Error(`error decoding multiaddress: failed to parse multiaddr ${quoted(text)}: ${why}`)
  if (text === '') throw failed('empty multiaddr')
  if (!text.startsWith('/')) throw failed('must begin with /')
  const parts = text.split('/').slice(1)
  let hasPeer = false
  while (parts.length > 0) {
    const name = parts.shift() ?? ''
    if (!protocols.has(name)) throw failed(`unknown protocol ${name}`)
    const check = protocols.get(name)
    if (check === undefined) continue
    const value = parts.shift()
    if (value === undefined) throw failed(`unexpected end of multiaddr`)
    const why = check(value)
    if (why !== undefined)
      throw failed(`invalid value ${quoted(value)} for protocol ${name}: ${why}`)
    hasPeer ||= name === 'p2p'
  }
  if (!hasPeer) {
    throw new Error('multiaddress does not contain peer ID: protocol not found in multiaddr')
  }
}

function peer(value: string): string | undefined {
  try {
    checkPeerId(value)
    return undefined
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return `failed to parse p2p addr: ${value} ${why}`
  }
}
