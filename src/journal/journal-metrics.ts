/** The instruments of the journal. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { JournalReport } from './journal.js'

export function registerJournal(registry: Registry, report: () => JournalReport): void {
  addGauge(registry, {
    name: 'pinwarden_journal_pins',
    help: 'Pins that wait in the journal for the cluster.',
    read: () => report().waiting,
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
