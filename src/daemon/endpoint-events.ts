/** Logs, once each, which endpoints of the cluster are down, and which are back. */
import type { OnChange } from '../cluster/endpoint.js'
import type { Log } from '../log/log.js'

export function endpointEvents(log: Log): OnChange {
  return ({ endpoint, state, reason, downMs, isClusterAvailable }) => {
    if (state === 'up')
      log.info({ endpoint, downMs: Math.round(downMs ?? 0) }, 'an endpoint of the cluster is back')
    else if (state === 'down' && isClusterAvailable)
      log.warn({ endpoint, reason }, 'an endpoint of the cluster is down: others are asked')
    else if (state === 'down')
      log.error({ endpoint, reason }, 'the cluster is down: no endpoint is available')
  }
}
