/** The instruments count what the access log says, and their labels stay few whatever it says. */
import t from 'tap'
import type { AccessLine } from '../../../src/log/access-line.js'
import { type CountedLine, registerRequests } from '../../../src/gate/record/request-metrics.js'
import { openRegistry } from '../../../src/metrics/registry.js'
import { has, seriesIn } from '../../support/exposition.js'

function start(connections = { requestsInFlight: 0 }) {
  const registry = openRegistry('test')
  const counted = Object.assign(connections, { counts: {}, ended: {} })
  return { registry, observe: registerRequests(registry, counted) }
}

const pinned: CountedLine = {
  encoder: 'alpha',
  permission: 'pin',
  status: 200,
  outcome: 'answered',
  bytesIn: 300,
  bytesOut: 500,
  durationMs: 40,
  upstreamMs: 30,
  upstreamStatus: 200,
}
const turnedAway: CountedLine = {
  status: 401,
  outcome: 'refused',
  reason: 'key-unknown',
  bytesIn: 100,
  bytesOut: 200,
  durationMs: 1,
}

t.test('listings are counted by origin', async (t) => {
  const { registry, observe } = start()
  const listing = { permission: 'list', status: 200, outcome: 'answered' } as const
  const line = { ...listing, bytesIn: 1, bytesOut: 1, durationMs: 1 }
  observe({ ...line, listing: 'fresh' })
  observe({ ...line, listing: 'cached' })
  observe({ ...line, listing: 'cached' })
  observe(line)
  await has(t, registry, {
    'pinwarden_listings_total{origin="fresh"}': 1,
    'pinwarden_listings_total{origin="cached"}': 2,
    'pinwarden_listings_total{origin="shared"}': undefined,
  })
})

t.test('requests in flight are as many as at the scrape', async (t) => {
  const connections = { requestsInFlight: 3 }
  const { registry } = start(connections)
  await has(t, registry, { pinwarden_requests_in_flight: 3 })
  connections.requestsInFlight = 1
  await has(t, registry, { pinwarden_requests_in_flight: 1 })
})

t.test('an answered pin is counted by encoder, permission and class of status', async (t) => {
  const { registry, observe } = start()
  observe(pinned)
  observe(pinned)
  await has(t, registry, {
    'pinwarden_requests_total{encoder="alpha",permission="pin",code="2xx"}': 2,
    'pinwarden_pins_total{encoder="alpha",result="ok"}': 2,
    'pinwarden_request_duration_seconds_sum{permission="pin"}': 0.08,
    'pinwarden_request_duration_seconds_bucket{le="0.025",permission="pin"}': 0,
    'pinwarden_request_duration_seconds_bucket{le="0.05",permission="pin"}': 2,
    'pinwarden_upstream_duration_seconds_count{permission="pin"}': 2,
    pinwarden_received_bytes_total: 600,
    pinwarden_sent_bytes_total: 1000,
    pinwarden_bugs_total: 0,
  })
})

t.test('a refusal is counted by its reason, and a 401 also as an auth failure', async (t) => {
  const { registry, observe } = start()
  observe(turnedAway)
  observe({
    ...turnedAway,
    encoder: 'alpha',
    permission: 'unpin',
    status: 403,
    reason: 'not-permitted',
  })
  await has(t, registry, {
    'pinwarden_requests_total{encoder="",permission="",code="4xx"}': 1,
    'pinwarden_refusals_total{reason="key-unknown",encoder=""}': 1,
    'pinwarden_refusals_total{reason="not-permitted",encoder="alpha"}': 1,
    'pinwarden_auth_failures_total{reason="key-unknown"}': 1,
    'pinwarden_auth_failures_total{reason="not-permitted"}': undefined,
    'pinwarden_unpins_total{encoder="alpha",result="refused"}': 1,
    'pinwarden_upstream_duration_seconds_count{permission=""}': undefined,
  })
})

t.test('faults, aborts and bugs are counted separately', async (t) => {
  const { registry, observe } = start()
  const unanswered = { ...pinned, upstreamStatus: 0 }
  observe({ ...pinned, outcome: 'fault', reason: 'cluster-cut' })
  observe({ ...unanswered, status: 499, outcome: 'aborted', reason: 'client-left' })
  observe({ ...unanswered, status: 500, outcome: 'bug', reason: 'internal-error' })
  observe({ ...pinned, status: 500, upstreamStatus: 500 })
  await has(t, registry, {
    'pinwarden_faults_total{reason="cluster-cut"}': 1,
    'pinwarden_aborts_total{reason="client-left"}': 1,
    pinwarden_bugs_total: 1,
    'pinwarden_pins_total{encoder="alpha",result="failed"}': 4,
    'pinwarden_pins_total{encoder="alpha",result="ok"}': undefined,
  })
})

t.test('a pin that the cluster accepted counts as done, even if its client left', async (t) => {
  const { registry, observe } = start()
  observe({ ...pinned, outcome: 'aborted', reason: 'client-left' })
  await has(t, registry, { 'pinwarden_pins_total{encoder="alpha",result="ok"}': 1 })
})

t.test('hostile text never becomes a label', async (t) => {
  const { registry, observe } = start()
  for (const word of [
    '__proto__',
    'Alpha',
    'a"} 1\npinwarden_bugs_total 9',
    'x'.repeat(64),
    '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?name=x',
    'é',
  ]) {
    observe({ ...turnedAway, encoder: word, reason: word })
  }
  t.same(await seriesIn(registry, 'pinwarden_refusals_total'), [
    'pinwarden_refusals_total{reason="_other",encoder="_other"} 6',
  ])
  await has(t, registry, {
    'pinwarden_requests_total{encoder="_other",permission="",code="4xx"}': 6,
    pinwarden_bugs_total: 0,
  })
})

t.test('words that are well-formed but far too many count together', async (t) => {
  const { registry, observe } = start()
  for (let i = 0; i < 3000; i++) {
    observe({ ...turnedAway, encoder: `e${i}`, reason: `r${i}`, status: i })
  }
  t.ok((await seriesIn(registry, 'pinwarden_requests_total')).length <= 1024 + 6)
  t.ok((await seriesIn(registry, 'pinwarden_refusals_total')).length <= 1024 + 128)
  t.equal((await seriesIn(registry, 'pinwarden_auth_failures_total')).length, 1)
})

t.test('statuses outside of HTTP have no class', async (t) => {
  const { registry, observe } = start()
  for (const status of [0, 99, 600, -1]) observe({ ...pinned, status })
  await has(t, registry, {
    'pinwarden_requests_total{encoder="alpha",permission="pin",code=""}': 4,
  })
})

t.test('bytes of a cut connection are never subtracted', async (t) => {
  const { registry, observe } = start()
  observe({ ...pinned, bytesIn: -1, bytesOut: -5 })
  await has(t, registry, { pinwarden_received_bytes_total: 0, pinwarden_sent_bytes_total: 0 })
})

t.test('an access line is what the instruments take, as it is', async (t) => {
  const line: AccessLine = {
    id: '00000000-0000-4000-8000-000000000000',
    traceId: '00000000000040008000000000000000',
    client: '192.0.2.7',
    method: 'POST',
    path: '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG',
    status: 401,
    outcome: 'refused',
    reason: 'key-unknown',
    bytesIn: 100,
    bytesOut: 200,
    durationMs: 1,
  }
  const { registry, observe } = start()
  observe(line)
  const text = await registry.metrics()
  t.notMatch(text, line.path)
  t.notMatch(text, line.client)
})
