/**
 * The health check for load balancers (`listen.healthPath`): the only answer without a credential.
 * It is either 200 or 503, and has its own budget.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AgingMap } from '../../collections/aging-map.js'
import { refuseUnrouted } from '../answer.js'
import type { RequestRecord } from '../record/record.js'
import { networkOf } from './client.js'

/** For each address, so that no other address can use up a balancer's budget. */
const [checksMax, windowMs, addressesMax] = [30, 10_000, 4096]

interface Window {
  count: number
  readonly startMs: number
}

/** @returns whether the request was a health check, which is then answered */
export function healthChecks(isReady: () => boolean) {
  const windows = new AgingMap<Window>(addressesMax)

  return (request: IncomingMessage, response: ServerResponse, record: RequestRecord): boolean => {
    const { healthPath } = record.snapshot.config.listen
    const { method, url } = request
    if (healthPath === undefined || url !== healthPath) return false
    if (method !== 'GET' && method !== 'HEAD') return false
    record.route = healthPath
    const key = networkOf(record.client)
    const nowMs = performance.now()
    let window = windows.get(key)
    if (window === undefined || window.startMs + windowMs <= nowMs)
      windows.set(key, (window = { count: 0, startMs: nowMs }))
    if (++window.count > checksMax) refuseUnrouted(response, record, 'rate-limited')
    else answerCheck(response, record, isReady() ? 200 : 503)
    return true
  }
}

/** Closes the connection, which may be a stranger's. */
function answerCheck(response: ServerResponse, record: RequestRecord, status: 200 | 503): void {
  record.checked(status)
  response.writeHead(status, {
    'cache-control': 'no-store',
    'content-length': 0,
    'x-request-id': record.id,
    connection: 'close',
  })
  response.end()
}
