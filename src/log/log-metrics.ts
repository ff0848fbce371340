/** The instrument of the log: a log that loses lines cannot say so itself. */
import { addCounter } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { Log } from './log.js'

export function registerLog(registry: Registry, log: Pick<Log, 'dropped'>): void {
  addCounter(registry, {
    name: 'pinwarden_log_lines_dropped_total',
    help: 'Log lines lost because the sink stalled.',
    read: () => log.dropped,
  })
}
