/** What a cluster was asked, without the bookkeeping of leases that each change of a pin brings. */
import type { FakeCluster, ReceivedRequest } from './fake-cluster/index.js'

/** All but the reads of the state. */
export const withoutStateReads = (cluster: FakeCluster): readonly ReceivedRequest[] =>
  cluster.requests.filter(({ target }) => !target.startsWith('/allocations/'))

/** `POST /pins/Qm…?name=x`: leases are left out. */
export const askedOf = (cluster: FakeCluster): string[] => withoutStateReads(cluster).map(asked)

export const asked = ({ method, target }: ReceivedRequest): string =>
  `${method} ${leaseless(target)}`

function leaseless(target: string): string {
  const [path = '', query = ''] = target.split('?')
  const kept = query.split('&').filter((option) => !option.startsWith('meta-pinwarden.'))
  return kept.join('') === '' ? path : `${path}?${kept.join('&')}`
}
