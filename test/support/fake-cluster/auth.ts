/** The cluster's basic and bearer authentication, when it has a credential. */
import { createHmac } from 'node:crypto'
import { type Cluster, type Handler, sendError, sendJson } from './cluster.js'
import type { ReceivedRequest } from './received.js'
import type { Reply } from './reply.js'

const realm = 'realm="Restricted IPFS Cluster API"'

/** Answers 401 and returns false when the request may not proceed. */
export function authenticated(
  { credential }: Cluster,
  request: ReceivedRequest,
  path: string,
  reply: Reply,
): boolean {
  if (credential === undefined || request.method === 'OPTIONS') return true
  if (request.method === 'GET' && path === '/health') return true
  const refuse = (why: string, ...challenges: string[]) => {
    for (const challenge of challenges) reply.header('Www-Authenticate', challenge)
    sendError(reply, 401, `unauthorized: ${why}`)
    return false
  }
  const [, scheme = '', given = ''] = /^(\S+) (.*)$/.exec(firstOf(request)) ?? []
  switch (scheme.toLowerCase()) {
    case 'basic': {
      const { username, password } = credential
      // Text that is not a credential counts as an absent one.
      if (!canonicalBase64.test(given)) break
      const presented = Buffer.from(given, 'base64').toString()
      if (!presented.includes(':')) break
      if (presented === `${username}:${password}`) return true
      return refuse('access denied', `Basic ${realm}`)
    }
    case 'bearer':
      if (given === tokenFor(credential)) return true
      return refuse('invalid token', `Bearer ${realm}, error="invalid_token"`)
  }
  return refuse('no auth provided', `Bearer ${realm}`, `Basic ${realm}`)
}

const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Of several headers only the first is read. */
function firstOf({ rawHeaders }: ReceivedRequest): string {
  const at = rawHeaders.findIndex(
    (name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization',
  )
  return at < 0 ? '' : (rawHeaders[at + 1] ?? '')
}

/** `POST /token`: a credential without an end. */
export const issueToken: Handler = ({ cluster: { credential }, reply }) =>
  credential === undefined
    ? sendError(reply, 401, 'unauthorized')
    : sendJson(reply, 200, { token: tokenFor(credential) })

function tokenFor({ username, password }: NonNullable<Cluster['credential']>): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ iss: username })}`
  return `${signed}.${createHmac('sha256', password).update(signed).digest('base64url')}`
}
