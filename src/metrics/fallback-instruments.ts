/** The instruments of the fallback: read off when the metrics are. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { FallbackReport } from '../fallback/fallback.js'

export function addFallback(registry: Registry, report: () => FallbackReport | undefined): void {
  const registers = [registry]
  new Gauge({
    name: 'pinwarden_fallback_up',
    help: '1: the fallback answers; 0: it is left alone.',
    registers,
    collect() {
      const now = report()
      if (now === undefined) this.remove()
      else this.set(now.isAvailable ? 1 : 0)
    },
  })
  new Gauge({
    name: 'pinwarden_fallback_pins',
    help: 'Pins of the journal on their way to the fallback.',
    registers,
    labelNames: ['state'] as const,
    collect() {
      this.reset()
      const now = report()
      if (now === undefined) return
      this.set({ state: 'waiting' }, now.waiting)
      this.set({ state: 'under_way' }, now.underWay)
    },
  })
  new Counter({
    name: 'pinwarden_fallback_pins_total',
    help: 'Pins at the fallback that were made, failed, or were released again.',
    registers,
    labelNames: ['result'] as const,
    collect() {
      this.reset()
      const now = report()
      if (now === undefined) return
      this.inc({ result: 'pinned' }, now.pinned)
      this.inc({ result: 'failed' }, now.failed)
      this.inc({ result: 'released' }, now.released)
    },
  })
  new Counter({
    name: 'pinwarden_fallback_faults_total',
    help: 'Pins that failed at the fallback, by reason.',
    registers,
    labelNames: ['reason'] as const,
    collect() {
      this.reset()
      for (const [reason, count] of report()?.faults ?? []) this.inc({ reason }, count)
    },
  })
}
