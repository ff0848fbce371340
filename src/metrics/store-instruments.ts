/** The instruments of what several gates share: read off when the metrics are. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { StoreReport } from '../store/store.js'

export function addStore(registry: Registry, report: () => StoreReport | undefined): void {
  const registers = [registry]
  new Gauge({
    name: 'pinwarden_store_up',
    help: '1: the store answers; 0: limits and turns are those of this gate alone.',
    registers,
    collect() {
      const now = report()
      if (now === undefined) this.remove()
      else this.set(now.isUp ? 1 : 0)
    },
  })
  new Counter({
    name: 'pinwarden_store_faults_total',
    help: 'Questions to the store that failed or came too late, or that were not asked.',
    registers,
    labelNames: ['result'] as const,
    collect() {
      this.reset()
      const now = report()
      if (now === undefined) return
      this.inc({ result: 'failed' }, now.faults)
      this.inc({ result: 'skipped' }, now.skipped)
    },
  })
}
