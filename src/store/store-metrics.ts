/** Metrics of the store. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { StoreReport } from './store.js'

export function registerStore(registry: Registry, store: { readonly report: StoreReport }): void {
  addGauge(registry, {
    name: 'pinwarden_store_up',
    help: '1: the store answers; 0: this gate uses its own limits and locks.',
    read: () => (store.report.isUp ? 1 : 0),
  })
  addGauge(registry, {
    name: 'pinwarden_store_namespace_refused',
    help: '1: store.namespace belongs to another cluster, so nothing is shared.',
    read: () => (store.report.isAnothers ? 1 : 0),
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
