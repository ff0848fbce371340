/** The layers that a request passes, in order: authentication, CORS, slash redirect, routes. */
import { STATUS_CODES } from 'node:http'
import { posix } from 'node:path'
import { authenticated } from './auth.js'
import { type Cluster, sendError } from './cluster.js'
import { escapePath, parseTarget, type Target } from './query.js'
import type { ReceivedRequest } from './received.js'
import type { Reply } from './reply.js'
import { findRoute } from './routes.js'

export async function answer(
  cluster: Cluster,
  request: ReceivedRequest,
  reply: Reply,
): Promise<void> {
  const target = parseTarget(request.target)
  if (target === undefined) {
    reply.header('Content-Type', 'text/plain; charset=utf-8').status(400).body('400 Bad Request')
    reply.keepAlive = false
    return
  }
  if (!authenticated(cluster, request, target.path, reply)) return
  if (cors(request, reply)) return
  if (target.path.endsWith('/')) redirectSlash(request, target, reply)
  else if (cleanPath(target.path) !== target.path) redirectClean(target, reply)
  else await route(cluster, request, target, reply)
}

/** Answers true when this was a preflight, which ends here. */
function cors(request: ReceivedRequest, reply: Reply): boolean {
  const { origin, 'access-control-request-method': asked } = request.headers
  const preflight = request.method === 'OPTIONS' && asked !== undefined
  reply.header(
    'Vary',
    preflight ? 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' : 'Origin',
  )
  const allowed = (preflight ? asked : request.method) === 'GET'
  if (origin !== undefined && allowed) {
    reply.header('Access-Control-Allow-Origin', '*')
    reply.header('Access-Control-Allow-Credentials', 'true')
    if (preflight) reply.header('Access-Control-Allow-Methods', 'GET')
    else {
      const exposed = 'Content-Type, X-Stream-Output, X-Chunked-Output, X-Content-Length'
      reply.header('Access-Control-Expose-Headers', exposed)
    }
  }
  if (preflight) reply.status(204)
  return preflight
}

const withQuery = (path: string, { rawQuery }: Target): string =>
  rawQuery === '' ? path : `${path}?${rawQuery}`

/** `//host/` becomes `//host`, which is another host: an open redirect. */
function redirectSlash(request: ReceivedRequest, target: Target, reply: Reply): void {
  const shorter = escapePath(target.path.slice(0, -1))
  const path = /^\/\/[^/]/.test(shorter) ? shorter : posix.normalize(shorter || '/')
  const location = withQuery(path, target)
  reply.status(307).header('Location', location)
  if (request.headers['content-type'] !== undefined || !/^(GET|HEAD)$/.test(request.method)) return
  const url = location.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&#34;')
  reply.header('Content-Type', 'text/html; charset=utf-8')
  if (request.method === 'GET') {
    reply.body(`<a href="${url}">${STATUS_CODES[307] ?? ''}</a>.\n\n`)
  }
}

/** Clients turn this POST into a GET. */
function redirectClean(target: Target, reply: Reply): void {
  reply.status(301).header('Location', withQuery(escapePath(cleanPath(target.path)), target))
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
