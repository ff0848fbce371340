/** The registry: rooms register their instruments on it, and the admin listener exposes it. */
import { collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client'

export type { Registry } from '@prometheus-io/client'

/**
 * A separate registry, so that several daemons may run in one process.
 * @param version of pinwarden
 * @returns a registry with the process's own metrics: memory, CPU time, event loop, build
 */
export function openRegistry(version: string): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  new Gauge({
    name: 'pinwarden_build_info',
    help: 'Always 1; the labels have the versions.',
    registers: [registry],
    labelNames: ['version', 'node'] as const,
  }).set({ version, node: process.version }, 1)
  return registry
}
