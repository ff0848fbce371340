/** Reads a request's head strictly: anything ambiguous is malformed and shows up as such. */
import { STATUS_CODES } from 'node:http'
import { parseTarget } from './query.js'
import type { RequestHead } from './received.js'

export type Framing =
  { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' }

export interface Head extends RequestHead {
  readonly framing: Framing
  /** The connection may carry another request. */
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
}

/** Go's answer to what it cannot read. */
export interface Malformed {
  readonly status: 400 | 431 | 501 | 505
  /** For the record. */
  readonly why: string
  /** What Go says of it on the wire, if anything. */
  readonly said?: string
}

/** As Go's server itself answers: plain text, then the end. */
export function refusalOf({ status, said }: Pick<Malformed, 'status' | 'said'>): string {
  const phrase = STATUS_CODES[status] ?? ''
  const full = `${status} ${said === undefined ? phrase : `${phrase}: ${said}`}`
  const line = status === 501 ? `${status} ${phrase}` : full
  const body = status === 501 ? 'Unsupported transfer encoding' : full
  return (
    `HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
    `Connection: close\r\n\r\n${body}`
  )
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** What Go takes in a Host header. */
const host = /^[!$%&'()*+,./:;=@[\]_~0-9A-Za-z-]*$/
const control = /[\0-\x08\x0a-\x1f\x7f]/

export function parseHead(bytes: Buffer): Head | Malformed {
  const [requestLine = '', ...lines] = bytes.toString('latin1').slice(0, -4).split('\r\n')
  const match = /^(\S+) (\S+) HTTP\/(\d\.\d)$/.exec(requestLine)
  const [, method = '', target = '', version = ''] = match ?? []
  if (match === null || !token.test(method) || control.test(target) || !readable(target)) {
    return malformed('request line')
  }
  if (!version.startsWith('1.')) {
    const said = 'unsupported protocol version'
    return { status: 505, why: said, said }
  }
  const rawHeaders: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    if (!token.test(name) || control.test(line)) {
      // A space does not keep Go from reading the head to its end.
      const spaced = name.includes(' ') && token.test(name.replaceAll(' ', ''))
      return malformed(`header line ${line}`, spaced ? 'invalid header name' : undefined)
    }
    rawHeaders.push(name, line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ''))
  }
  const values = (wanted: string) =>
    rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === wanted)
  const hosts = values('host')
  if (hosts.length > 1) return malformed('several Host headers')
  if (version === '1.1' && hosts.length === 0)
    return malformedAsSaid('missing required Host header')
  if (!host.test(hosts[0] ?? '')) return malformedAsSaid('malformed Host header')
  const framing = framingOf(values('content-length'), values('transfer-encoding'))
  if ('why' in framing) return framing
  const connection = values('connection').join(',').toLowerCase().split(/[ ,]+/)
  return {
    method,
    target,
    version,
    rawHeaders,
    framing,
    keepAlive:
      version === '1.0' ? connection.includes('keep-alive') : !connection.includes('close'),
    expectsContinue: values('expect').join().toLowerCase() === '100-continue',
  }
}

const malformed = (why: string, said?: string): Malformed => ({
  status: 400,
  why,
  ...(said !== undefined && { said }),
})
const malformedAsSaid = (said: string): Malformed => malformed(said, said)

const readable = (target: string): boolean => parseTarget(target) !== undefined

function framingOf(lengths: string[], encodings: string[]): Framing | Malformed {
  if (encodings.length > 0) {
    if (lengths.length > 0) return malformed('both Content-Length and Transfer-Encoding')
    if (encodings.length === 1 && encodings[0]?.toLowerCase() === 'chunked') {
      return { kind: 'chunked' }
    }
    return { status: 501, why: 'unsupported transfer encoding' }
  }
  const [text = '0', ...others] = lengths
  if (others.length > 0 || !/^\d{1,15}$/.test(text)) return malformed('Content-Length')
  return { kind: 'length', bytes: Number(text) }
}
