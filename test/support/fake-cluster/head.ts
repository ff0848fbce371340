/** Reads a request's head strictly: anything ambiguous is malformed and shows up as such. */
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
  readonly status: 400 | 501 | 505
  readonly why: string
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const control = /[\0-\x08\x0a-\x1f\x7f]/

export function parseHead(bytes: Buffer): Head | Malformed {
  const [requestLine = '', ...lines] = bytes.toString('latin1').slice(0, -4).split('\r\n')
  const match = /^(\S+) (\S+) HTTP\/(\d\.\d)$/.exec(requestLine)
  const [, method = '', target = '', version = ''] = match ?? []
  if (match === null || !token.test(method) || control.test(target)) {
    return malformed('request line')
  }
  if (!version.startsWith('1.')) return { status: 505, why: 'unsupported protocol version' }
  const rawHeaders: string[] = []
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    if (!token.test(name) || control.test(line)) return malformed(`header line ${line}`)
    rawHeaders.push(name, line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ''))
  }
  const values = (wanted: string) =>
    rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === wanted)
  if (version === '1.1' && values('host').length !== 1) {
    return malformed('missing required Host header')
  }
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

const malformed = (why: string): Malformed => ({ status: 400, why })

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
