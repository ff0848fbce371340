/** The layers that a request passes, in order: authentication, CORS, slash redirect, routes. */
import { STATUS_CODES } from 'node:http'
import { posix } from 'node:path'
import { authenticated } from './auth.js'
import { type Cluster, sendError } from './cluster.js'
import { escapePath, parseTarget, type Target } from './query.js'
import type { ReceivedRequest } from './received.js'
import type { Reply } from './reply.js'
import { findRoute } from './routes.js'

/** False where the cluster's handler panics: the connection is then closed without an answer. */
export async function answer(
  cluster: Cluster,
  request: ReceivedRequest,
  reply: Reply,
): Promise<boolean> {
  if (answeredByGo(request, reply)) return true
  const target = parseTarget(request.target)
  // Such a request was refused with its head.
  if (target === undefined) return false
  if (!authenticated(cluster, request, target.path, reply)) return true
  if (cors(request, reply)) return true
  if (target.path === '//') return false
  if (target.path.endsWith('/')) redirectSlash(request, target, reply)
  else if (cleanPath(target.path) !== target.path) redirectClean(target, reply)
  else await route(cluster, request, target, reply)
  return true
}

/** What never comes to a handler of the cluster. */
function answeredByGo({ method, target, headers }: ReceivedRequest, reply: Reply): boolean {
  const expected = headers.expect?.toLowerCase() ?? ''
  if (expected !== '' && expected !== '100-continue') {
    reply.header('Connection', 'close').status(417)
    reply.keepAlive = false
    return true
  }
  if (method === 'OPTIONS' && target === '*') {
    reply.header('Content-Length', '0').status(200)
    return true
  }
  return false
}

const corsHeaders = ['accept', 'content-type', 'x-requested-with']

/** Answers true when this was a preflight, which ends here. */
function cors({ method, headers }: ReceivedRequest, reply: Reply): boolean {
  const { origin = '', 'access-control-request-method': asked } = headers
  const preflight = method === 'OPTIONS' && asked !== undefined
  if (preflight) preflightCors(headers, asked, reply)
  else {
    reply.header('Vary', 'Origin')
    if (origin !== '' && /^(GET|OPTIONS)$/.test(method)) {
      const exposed = 'Content-Type, X-Stream-Output, X-Chunked-Output, X-Content-Length'
      allowOrigin(reply).header('Access-Control-Expose-Headers', exposed)
    }
  }
  return preflight
}

function preflightCors(headers: ReceivedRequest['headers'], asked: string, reply: Reply): void {
  const vary = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'
  reply.header('Vary', vary).status(204)
  const wanted = headers['access-control-request-headers'] ?? ''
  const granted = wanted === '' || wanted.split(',').every((name) => corsHeaders.includes(name))
  if ((headers.origin ?? '') === '' || asked !== 'GET' || !granted) return
  allowOrigin(reply).header('Access-Control-Allow-Methods', 'GET')
  if (wanted !== '') reply.header('Access-Control-Allow-Headers', wanted)
}

const allowOrigin = (reply: Reply): Reply =>
  reply
    .header('Access-Control-Allow-Origin', '*')
    .header('Access-Control-Allow-Credentials', 'true')

const htmlEscapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
}

/** `//host/` becomes `//host`, which is another host: an open redirect. */
function redirectSlash(request: ReceivedRequest, target: Target, reply: Reply): void {
  const shorter = escapePath(target.path.slice(0, -1))
  const path = /^\/\/[^/]/.test(shorter) ? shorter : posix.normalize(shorter || '/')
  const location = target.origin + path + target.search
  reply.status(307).header('Location', location)
  if (!/^(GET|HEAD)$/.test(request.method)) return
  const url = location.replace(/[&<>"']/g, (mark) => htmlEscapes[mark] ?? mark)
  reply.header('Content-Type', 'text/html; charset=utf-8')
  if (request.method === 'GET') {
    reply.body(`<a href="${url}">${STATUS_CODES[307] ?? ''}</a>.\n\n`)
  }
}

/** Clients turn this POST into a GET. */
function redirectClean(target: Target, reply: Reply): void {
  reply
    .status(301)
    .header('Location', target.origin + escapePath(cleanPath(target.path)) + target.search)
}

const cleanPath = (path: string): string =>
  posix.normalize(path.startsWith('/') ? path : `/${path}`)

async function route(
  cluster: Cluster,
  request: ReceivedRequest,
  { path, query }: Target,
  reply: Reply,
): Promise<void> {
  const found = findRoute(request.method, path)
  if (found === 'not found') sendError(reply, 404, 'not found')
  else if (found === 'method mismatch') reply.status(405)
  else await found.handler({ cluster, request, reply, query, vars: found.vars })
}
