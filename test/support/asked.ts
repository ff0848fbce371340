/** What a cluster was asked by clients: without health checks and the bookkeeping of leases. */
import type { FakeCluster, ReceivedRequest } from './fake-cluster/index.js'

/** All but the reads of the state, and the checks whether it is up. */
export const withoutStateReads = (cluster: FakeCluster): readonly ReceivedRequest[] =>
  cluster.requests.filter(({ target }) => !/^\/(allocations\/|health$|version$)/.test(target))

/** `POST /pins/Qm…?name=x`: leases are left out. */
export const askedOf = (cluster: FakeCluster): string[] => withoutStateReads(cluster).map(asked)

export const asked = ({ method, target }: ReceivedRequest): string =>
  `${method} ${leaseless(target)}`

function leaseless(target: string): string {
  const [path = '', query = ''] = target.split('?')
  const kept = query.split('&').filter((option) => !option.startsWith('meta-pinwarden.'))
  return kept.join('') === '' ? path : `${path}?${kept.join('&')}`
}
