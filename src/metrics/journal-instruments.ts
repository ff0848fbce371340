/** The instruments of the journal: read off when the metrics are. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { JournalReport } from '../journal/journal.js'

export function addJournal(registry: Registry, report: () => JournalReport | undefined): void {
  const registers = [registry]
  new Gauge({
    name: 'pinwarden_journal_pins',
    help: 'Pins that wait in the journal for the cluster.',
    registers,
    collect() {
      const now = report()
      if (now === undefined) this.remove()
      else this.set(now.waiting)
    },
  })
  new Counter({
    name: 'pinwarden_journal_pins_total',
    help: 'Pins that have left the journal: made, or dropped.',
    registers,
    labelNames: ['result'] as const,
    collect() {
      this.reset()
      const now = report()
      if (now === undefined) return
      this.inc({ result: 'made' }, now.made)
      this.inc({ result: 'dropped' }, now.dropped)
    },
  })
}
