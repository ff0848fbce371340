/** Metrics of pin tracking: states of pins after their requests. */
import { Counter, Histogram } from '@prometheus-io/client'
import { bounded, encoderLabelsMax } from '../metrics/labels.js'
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { PinEvent } from './tracked-pin.js'
import type { PinTracker } from './tracker.js'

/** From pins that Kubo already has to those that no peer offers for hours, in seconds. */
const buckets = [1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 86_400]

/** @returns counts one event */
export function registerTracking(
  registry: Registry,
  tracker: Pick<PinTracker, 'pendingPins' | 'figures'>,
): (event: PinEvent) => void {
  const registers = [registry]
  const encoderOf = bounded(encoderLabelsMax)
  const time = new Histogram({
    name: 'pinwarden_time_to_pinned_seconds',
    help: 'From a pin that the cluster accepted until Kubo has it, to within seconds.',
    registers,
    buckets,
  })
  const results = new Counter({
    name: 'pinwarden_pins_settled_total',
    help: 'Pins that the cluster accepted, by outcome.',
    registers,
    labelNames: ['encoder', 'result'] as const,
  })
  addGauge(registry, {
    name: 'pinwarden_pins_unsettled',
    help: 'Pins that the cluster has yet to finish: pending, or failing and being retried.',
    labelNames: ['encoder', 'state'],
    read: () =>
      [...tracker.pendingPins()].flatMap(([name, { pending, failing }]) => {
        const encoder = encoderOf(name)
        return [
          [{ encoder, state: 'pending' }, pending],
          [{ encoder, state: 'failing' }, failing],
        ] as const
      }),
  })
  addCounter(registry, {
    name: 'pinwarden_pins_untracked_total',
    help: 'Pins that the gate does not track because it already tracks too many.',
    read: () => tracker.figures.untracked,
  })
  addCounter(registry, {
    name: 'pinwarden_waits_cut_total',
    help: 'Requests with wait= that were answered early because too many were waiting.',
    read: () => tracker.figures.waitsCut,
  })
  return ({ encoder, result, ms }) => {
    results.inc({ encoder: encoderOf(encoder), result })
    if (result === 'pinned' || result === 'recovered') time.observe(ms / 1000)
  }
}
