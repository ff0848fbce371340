/** What the store reports, and its metrics. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'

export interface StoreReport {
  readonly isUp: boolean
  /** Why it is not; `cluster`: this gate does not know yet which cluster it serves. */
  readonly problem?: 'cluster' | 'namespace' | 'errors' | 'silence'
  /** With errors and silence: the last error, in a word. */
  readonly fault?: string
  /** Whether all requests are refused meanwhile (`store.failMode`). */
  readonly isRefusing: boolean
  /** Since the start: calls that failed or came too late, and calls that were not made. */
  readonly faults: number
  readonly skipped: number
}

export function registerStore(registry: Registry, store: { readonly report: StoreReport }): void {
  addGauge(registry, {
    name: 'pinwarden_store_up',
    help: '1: limits and locks are shared; 0: they are not, and store.failMode says what happens.',
    read: () => (store.report.isUp ? 1 : 0),
  })
  addGauge(registry, {
    name: 'pinwarden_store_namespace_refused',
    help: '1: store.namespace belongs to another cluster, so nothing is shared.',
    read: () => (store.report.problem === 'namespace' ? 1 : 0),
  })
  addCounter(registry, {
    name: 'pinwarden_store_faults_total',
    help: 'Calls to the store that failed, timed out, or were skipped while it was down.',
    labelNames: ['result'],
    read: () => {
      const { faults, skipped } = store.report
      return [
        [{ result: 'failed' }, faults],
        [{ result: 'skipped' }, skipped],
      ]
    },
  })
}
