/** The instruments of the cluster's endpoints. */
import t from 'tap'
import { registerEndpoints } from '../../src/cluster/endpoint-metrics.js'
import { openRegistry } from '../../src/metrics/registry.js'
import { has } from '../support/exposition.js'

t.test('each endpoint of the cluster is counted separately', async (t) => {
  const state = { stateMs: 0, reason: undefined, clockAheadMs: 0 } as const
  const one = {
    ...state,
    name: 'a:9094',
    origin: 'http://a:9094',
    state: 'up',
    load: 2,
    answers: 5,
    answerMs: 1500,
    lagMs: 0,
  } as const
  const other = {
    ...state,
    name: 'b:9094',
    origin: 'http://b:9094',
    state: 'down',
    load: 0,
    answers: 0,
    answerMs: 0,
    lagMs: 42_000,
  } as const
  const faults = new Map([['cluster-hung-up', 3]] as const)
  const registry = openRegistry('test')
  registerEndpoints(registry, () => [
    { ...one, faults: new Map() },
    { ...other, faults },
  ])
  await has(t, registry, {
    'pinwarden_endpoint_up{endpoint="a:9094"}': 1,
    'pinwarden_endpoint_up{endpoint="b:9094"}': 0,
    'pinwarden_endpoint_lag_seconds{endpoint="a:9094"}': 0,
    'pinwarden_endpoint_lag_seconds{endpoint="b:9094"}': 42,
    'pinwarden_endpoint_requests_in_flight{endpoint="a:9094"}': 2,
    'pinwarden_endpoint_answers_total{endpoint="a:9094"}': 5,
    'pinwarden_endpoint_answer_seconds_total{endpoint="a:9094"}': 1.5,
    'pinwarden_endpoint_faults_total{endpoint="b:9094",reason="cluster-hung-up"}': 3,
  })
})
