/** The address at which encoders reach the gate, as far as the settings tell. */
import { isIP, isIPv6 } from 'node:net'
import { isLoopback } from '../settings/values/network.js'
import type { ListenConfig } from '../settings/schema/schema.js'
import { UsageError } from './report.js'

export interface GateUrl {
  readonly scheme: string
  /** With the port, where it is not the scheme's own. */
  readonly authority: string
  /** Why it may not be the address that encoders use. */
  readonly doubt: string | undefined
}

/** The address from the command line. */
export function gateUrlGiven(text: string): GateUrl {
  const parts = /^(https?):\/\/([^/?#@\s]+)\/?$/.exec(text)
  if (parts === null || !URL.canParse(text))
    throw new UsageError(
      '--endpoint is not a base URL',
      'such as https://pins.example.org:9098, without path or credentials',
    )
  return urlIn(text)
}

function urlIn(text: string): GateUrl {
  const { protocol, host } = new URL(text)
  return { scheme: protocol.slice(0, -1), authority: host, doubt: undefined }
}

/** The address from the settings, or from the listening address. */
export function gateUrlOf({ host, port, tls, publicUrl }: ListenConfig): GateUrl {
  if (publicUrl !== undefined) return urlIn(publicUrl)
  const isAny = host === '0.0.0.0' || host === '::'
  const name = isAny ? 'YOUR-HOST' : bracketed(host)
  const scheme = tls === undefined ? 'http' : 'https'
  const authority = `${name}:${port === 0 ? 'YOUR-PORT' : port}`
  return { scheme, authority, doubt: doubtOf(host, port, isAny, tls !== undefined) }
}

/** A host as in a URL. */
export const bracketed = (host: string): string => (isIPv6(host) ? `[${host}]` : host)

function doubtOf(host: string, port: number, isAny: boolean, isTls: boolean) {
  if (isAny || port === 0)
    return 'replace the part in capitals, or set listen.publicUrl to the address for encoders'
  if (isLoopback(host))
    return `${host} is only reachable from this machine; set listen.publicUrl to the public address`
  if (isTls && isIP(host) !== 0)
    return 'certificates are for names: set listen.publicUrl to a name in yours'
  return undefined
}
