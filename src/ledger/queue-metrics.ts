/** Metrics of the queue. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'

/** Entries of the queue: how many wait, and what became of others. */
export interface QueueCounts {
  readonly waiting: number
  /** Since the start. */
  readonly made: number
  readonly dropped: number
  /** That the cluster refused for good: `pinwarden journal list --rejected` shows them. */
  readonly rejected: number
}

export function registerQueue(registry: Registry, report: () => QueueCounts): void {
  addGauge(registry, {
    name: 'pinwarden_journal_pins',
    help: 'Pins that wait in the journal for the cluster.',
    read: () => report().waiting,
  })
  addGauge(registry, {
    name: 'pinwarden_journal_rejected_pins',
    help: 'Pins of the journal that the cluster refused for good, until an operator drops them.',
    read: () => report().rejected,
  })
  addCounter(registry, {
    name: 'pinwarden_journal_pins_total',
    help: 'Pins that have left the journal: written to the cluster (made), or dropped.',
    labelNames: ['result'],
    read: () => {
      const { made, dropped } = report()
      return [
        [{ result: 'made' }, made],
        [{ result: 'dropped' }, dropped],
      ]
    },
  })
}
