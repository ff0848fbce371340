/** Metrics of the fallback. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { FallbackReport } from './fallback.js'

export function registerFallback(
  registry: Registry,
  fallback: { readonly report: FallbackReport },
): void {
  addGauge(registry, {
    name: 'pinwarden_fallback_up',
    help: '1: the gate uses the fallback; 0: the fallback is down.',
    read: () => (fallback.report.isAvailable ? 1 : 0),
  })
  addGauge(registry, {
    name: 'pinwarden_fallback_pins',
    help: 'Pins of the journal that the fallback has yet to pin.',
    labelNames: ['state'],
    read: () => {
      const { waiting, inProgress } = fallback.report
      return [
        [{ state: 'waiting' }, waiting],
        [{ state: 'in_progress' }, inProgress],
      ]
    },
  })
  addCounter(registry, {
    name: 'pinwarden_fallback_pins_total',
    help: 'Pins that the fallback pinned, failed to pin, or released again.',
    labelNames: ['result'],
    read: () => {
      const { pinned, failed, released } = fallback.report
      return [
        [{ result: 'pinned' }, pinned],
        [{ result: 'failed' }, failed],
        [{ result: 'released' }, released],
      ]
    },
  })
  addCounter(registry, {
    name: 'pinwarden_fallback_faults_total',
    help: 'Pins that failed at the fallback.',
    labelNames: ['reason'],
    read: () => [...fallback.report.faults].map(([reason, count]) => [{ reason }, count] as const),
  })
}
