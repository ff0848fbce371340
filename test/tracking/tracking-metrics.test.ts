/** The instruments of pin tracking. */
import t from 'tap'
import { openRegistry } from '../../src/metrics/registry.js'
import { registerTracking } from '../../src/tracking/tracking-metrics.js'
import { has } from '../support/exposition.js'

t.test('results of pins are counted by encoder, and pinned ones are timed', async (t) => {
  const registry = openRegistry('test')
  const pendingPins = () => new Map([['alpha', { pending: 2, failing: 1 }]])
  const figures = { waitsCut: 3, untracked: 4 }
  const count = registerTracking(registry, { pendingPins, figures })
  const event = { cid: 'Qm', encoder: 'alpha', error: '' } as const
  count({ ...event, result: 'pinned', ms: 4000 })
  count({ ...event, result: 'failed', ms: 120_000, error: 'context canceled' })
  count({ ...event, result: 'recovered', ms: 720_000 })
  await has(t, registry, {
    'pinwarden_pins_settled_total{encoder="alpha",result="pinned"}': 1,
    'pinwarden_pins_settled_total{encoder="alpha",result="failed"}': 1,
    'pinwarden_pins_settled_total{encoder="alpha",result="recovered"}': 1,
    pinwarden_time_to_pinned_seconds_count: 2,
    pinwarden_time_to_pinned_seconds_sum: 724,
    'pinwarden_time_to_pinned_seconds_bucket{le="5"}': 1,
    'pinwarden_pins_unsettled{encoder="alpha",state="pending"}': 2,
    'pinwarden_pins_unsettled{encoder="alpha",state="failing"}': 1,
    pinwarden_waits_cut_total: 3,
    pinwarden_pins_untracked_total: 4,
  })
})
