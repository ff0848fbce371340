/** The instruments of what became of pins, after their requests were answered. */
import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client'
import type { PinNews } from '../progress/followed.js'
import type { Unsettled } from '../progress/follower.js'
import { bounded, encodersMax } from './labels.js'

/** From what Kubo has already to what nobody offers for hours, in seconds. */
const buckets = [1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 86_400]

/** @returns counts one piece of news */
export function addProgress(
  registry: Registry,
  unsettled: () => ReadonlyMap<string, Unsettled>,
): (news: PinNews) => void {
  const registers = [registry]
  const encoderOf = bounded(encodersMax)
  const time = new Histogram({
    name: 'pinwarden_time_to_pinned_seconds',
    help: 'From a pin accepted by the cluster to a pin that Kubo has, by rounds of seconds.',
    registers,
    buckets,
  })
  const settled = new Counter({
    name: 'pinwarden_pins_settled_total',
    help: 'Pins that were accepted, by what became of them.',
    registers,
    labelNames: ['encoder', 'result'] as const,
  })
  new Gauge({
    name: 'pinwarden_pins_unsettled',
    help: 'Pins that the cluster is still at: pending, or failing and tried again.',
    registers,
    labelNames: ['encoder', 'state'] as const,
    collect() {
      this.reset()
      for (const [name, { pending, failing }] of unsettled()) {
        const encoder = encoderOf(name)
        this.inc({ encoder, state: 'pending' }, pending)
        this.inc({ encoder, state: 'failing' }, failing)
      }
    },
  })
  return ({ encoder, result, ms }) => {
    settled.inc({ encoder: encoderOf(encoder), result })
    if (result === 'pinned' || result === 'recovered') time.observe(ms / 1000)
  }
}
