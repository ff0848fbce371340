/** Metrics of the log: a log that loses lines cannot report it itself. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { Log } from './log.js'

export function registerLog(registry: Registry, { sink }: Pick<Log, 'sink'>): void {
  addCounter(registry, {
    name: 'pinwarden_log_lines_dropped_total',
    help: 'Log lines that the gate dropped because the sink stalled.',
    read: () => sink.dropped,
  })
  addGauge(registry, {
    name: 'pinwarden_log_waiting_bytes',
    help: 'Size of the log lines that wait in memory for the sink.',
    read: () => sink.waitingSize,
  })
}
