/** Reads a request target: decoded first, then checked, so that one resource has one spelling. */
import { BadRequest } from './refusals.js'

export interface Target {
  /** Decoded path segments; doubled and trailing slashes are gone. */
  readonly segments: readonly string[]
  /** Parameters by name, or why the query cannot be read. Empty values count as absent. */
  readonly query: ReadonlyMap<string, string> | BadRequest
}

const parametersMax = 64
const printable = /^[\x21-\x7e]*$/
const forbidden = /[/\\\p{Cc}]/u
/** Dot segments, and segments with a dot at either end: no route has them, and parsers differ. */
const dots = /^\.$|^\.\.|\.\.$/

/**
 * Splits and decodes a request target.
 *
 * The cluster matches the percent-decoded path (`/pins/X%2Frecover` is its recover route), so an
 * encoded slash, a dot segment, a backslash or a control character is refused rather than passed
 * on in some spelling. Only origin-form (RFC 9112 §3.2.1) is accepted: this is not a forward proxy.
 *
 * @throws BadRequest `bad-path`
 */
export function readTarget(url: string): Target {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  if (!path.startsWith('/') || !printable.test(path) || path.includes('#')) {
    throw new BadRequest('bad-path')
  }
  return {
    segments: path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeSegment),
    query: mark < 0 ? none : queryOf(url.slice(mark + 1)),
  }
}

const none: ReadonlyMap<string, string> = new Map()

/** The path on which a request is routed, and sent on: every segment in its one spelling. */
export const pathFrom = (segments: readonly string[]): string =>
  `/${segments.map(encodeURIComponent).join('/')}`

function decodeSegment(segment: string): string {
  const text = decode(segment)
  if (text === undefined || dots.test(text) || forbidden.test(text)) {
    throw new BadRequest('bad-path')
  }
  return text
}

function queryOf(raw: string): Target['query'] {
  try {
    return readQuery(raw)
  } catch (error) {
    if (error instanceof BadRequest) return error
    throw error
  }
}

/**
 * Parses a query. Go takes the first of repeated names and silently drops a pair with `;` or a bad
 * escape; the gate refuses what it and the cluster could read in two ways.
 * @throws BadRequest `bad-query`
 */
function readQuery(raw: string): ReadonlyMap<string, string> {
  if (raw === '') return none
  if (!printable.test(raw) || /[;#]/.test(raw)) throw new BadRequest('bad-query')
  const pairs = raw.split('&').filter((pair) => pair !== '')
  if (pairs.length > parametersMax) throw new BadRequest('bad-query', 'too many parameters')
  const seen = new Set<string>()
  const query = new Map<string, string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = decodeParameter(equals < 0 ? pair : pair.slice(0, equals))
    const value = decodeParameter(equals < 0 ? '' : pair.slice(equals + 1))
    if (seen.has(name)) throw new BadRequest('bad-query', `parameter ${quote(name)} is repeated`)
    seen.add(name)
    // ipfs-cluster-ctl names every option it knows and leaves the values empty.
    if (value !== '') query.set(name, value)
  }
  return query
}

function decodeParameter(text: string): string {
  const decoded = decode(text.replaceAll('+', ' '))
  if (decoded === undefined) throw new BadRequest('bad-query', 'malformed percent-encoding')
  return decoded
}

/** Undefined for a bad escape, and for bytes that are not UTF-8. */
function decode(text: string): string | undefined {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** A name that the client chose, safe to show back to it. */
export const quote = (name: string): string => JSON.stringify(name.slice(0, 64))
