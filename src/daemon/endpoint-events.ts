/** Logs, once each, when endpoints of the cluster go down, fall behind, catch up and come back. */
import type { ClusterEvents } from '../cluster/cluster.js'
import type { Log } from '../log/log.js'

export function endpointEvents(log: Log): Omit<ClusterEvents, 'onHungUp'> {
  const onChange: ClusterEvents['onChange'] = ({
    endpoint,
    state,
    reason,
    downMs,
    isClusterAvailable,
  }) => {
    if (state === 'up')
      log.info(
        { endpoint, downMs: Math.round(downMs ?? 0) },
        'an endpoint of the cluster came back',
      )
    else if (state === 'down' && isClusterAvailable)
      log.warn(
        { endpoint, reason },
        'an endpoint of the cluster went down; the gate asks the others',
      )
    else if (state === 'down')
      log.error({ endpoint, reason }, 'the cluster went down: no endpoint is available')
  }
  return {
    onChange,
    onRefused: (endpoint) => {
      log.error({ endpoint, reason: 'cluster-auth' }, 'the cluster refuses the login of the gate')
    },
    onLag: (endpoint, { isBehind, lagMs }) => {
      const fields = { endpoint, lagMs: Math.round(lagMs) }
      if (isBehind)
        log.warn(fields, 'an endpoint of the cluster fell behind; the gate reads from others')
      else log.info(fields, 'an endpoint of the cluster caught up')
    },
  }
}
