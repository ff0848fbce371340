/** The cluster's route table, in its order, and the way gorilla/mux searches it. */
import { allocation, allocations } from './allocations.js'
import { issueToken } from './auth.js'
import type { Handler } from './cluster.js'
import * as other from './other-routes.js'
import { pin, pinPath, unpin, unpinPath } from './pin-routes.js'
import { listStatus, recover, recoverAll, status } from './status-routes.js'

interface Route {
  readonly methods: readonly string[]
  readonly path: RegExp
  readonly handler: Handler
}

/** `{}` is one part of a path, `{path}` the rest of it, `{type}` ipfs, ipns or ipld. */
function route(methods: string, pattern: string, handler: Handler): Route {
  const path = pattern
    .replace('{}', '([^/]+)')
    .replace('{type}', '(ipfs|ipns|ipld)')
    .replace('{path}', '(.*)')
  return { methods: methods.split('|'), path: new RegExp(`^${path}$`), handler }
}

const routes: readonly Route[] = [
  route('GET', '/id', other.id),
  route('GET', '/version', other.version),
  route('GET', '/peers', other.peers),
  route('POST', '/peers', other.addPeer),
  route('DELETE', '/peers/{}', other.removePeer),
  route('POST', '/add', other.add),
  route('GET', '/allocations', allocations),
  route('GET', '/allocations/{}', allocation),
  route('GET', '/pins', listStatus),
  route('POST', '/pins/{}/recover', recover),
  route('POST', '/pins/recover', recoverAll),
  route('GET', '/pins/{}', status),
  route('POST', '/pins/{}', pin),
  route('POST', '/pins/{type}/{path}', pinPath),
  route('DELETE', '/pins/{}', unpin),
  route('DELETE', '/pins/{type}/{path}', unpinPath),
  route('POST', '/ipfs/gc', other.collectGarbage),
  route('GET', '/health/graph', other.graph),
  route('GET', '/health/alerts', other.alerts),
  route('GET', '/health/bandwidth', other.bandwidth),
  route('GET', '/monitor/metrics/{}', other.metric),
  route('GET', '/monitor/metrics', other.metricNames),
  route('POST', '/token', issueToken),
  route('GET', '/health', other.health),
]

export type Found =
  { readonly handler: Handler; readonly vars: readonly string[] } | 'not found' | 'method mismatch'

/**
 * A mismatch of method is forgotten as soon as a later route has the method, whatever its path:
 * hence 404 for `DELETE /pins` but 405 for `DELETE /token`.
 */
export function findRoute(method: string, path: string): Found {
  let mismatch = false
  for (const { methods, path: pattern, handler } of routes) {
    const match = pattern.exec(path)
    if (methods.includes(method)) {
      if (match !== null) return { handler, vars: match.slice(1) }
      mismatch = false
    } else if (match !== null) mismatch = true
  }
  return mismatch ? 'method mismatch' : 'not found'
}
