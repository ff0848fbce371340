/** The instruments of what became of pins. */
import t from 'tap'
import { openRegistry } from '../../src/metrics/registry.js'
import { registerProgress } from '../../src/progress/progress-metrics.js'
import { has } from '../support/exposition.js'

t.test('what became of pins is counted by encoder, and timed when they are pinned', async (t) => {
  const registry = openRegistry('test')
  const unsettled = () => new Map([['alpha', { pending: 2, failing: 1 }]])
  const count = registerProgress(registry, { unsettled })
  const news = { cid: 'Qm', encoder: 'alpha', error: '' } as const
  count({ ...news, result: 'pinned', ms: 4000 })
  count({ ...news, result: 'failed', ms: 120_000, error: 'context canceled' })
  count({ ...news, result: 'recovered', ms: 720_000 })
  await has(t, registry, {
    'pinwarden_pins_settled_total{encoder="alpha",result="pinned"}': 1,
    'pinwarden_pins_settled_total{encoder="alpha",result="failed"}': 1,
    'pinwarden_pins_settled_total{encoder="alpha",result="recovered"}': 1,
    pinwarden_time_to_pinned_seconds_count: 2,
    pinwarden_time_to_pinned_seconds_sum: 724,
    'pinwarden_time_to_pinned_seconds_bucket{le="5"}': 1,
    'pinwarden_pins_unsettled{encoder="alpha",state="pending"}': 2,
    'pinwarden_pins_unsettled{encoder="alpha",state="failing"}': 1,
  })
})
