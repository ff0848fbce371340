/** The instruments count what the access log says, and their labels stay few whatever it says. */
import t, { type Test } from 'tap'
import type { AccessLine } from '../../src/gate/record/access-line.js'
import {
  createMetrics,
  type FinishedRequest,
  type Metrics,
  type MetricsParts,
} from '../../src/metrics/metrics.js'

const start = (parts: Partial<MetricsParts> = {}): Metrics =>
  createMetrics({ version: '1.2.3', inFlight: () => 0, linesDropped: () => 0, ...parts })

const pinned: FinishedRequest = {
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
const turnedAway: FinishedRequest = {
  status: 401,
  outcome: 'refused',
  reason: 'key-unknown',
  bytesIn: 100,
  bytesOut: 200,
  durationMs: 1,
}

/** The value of a series, written as the exposition writes it. */
async function valueOf(metrics: Metrics, series: string): Promise<number | undefined> {
  const lines = (await metrics.exposition()).split('\n')
  const line = lines.find((line) => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

async function has(t: Test, metrics: Metrics, expected: Record<string, number | undefined>) {
  for (const [series, value] of Object.entries(expected)) {
    t.equal(await valueOf(metrics, series), value, series)
  }
}

const seriesIn = async (metrics: Metrics, name: string): Promise<string[]> =>
  (await metrics.exposition()).split('\n').filter((line) => line.startsWith(`${name}{`))

t.test('listings are counted by how they were come by', async (t) => {
  const metrics = start()
  const listing = { permission: 'list', status: 200, outcome: 'answered' } as const
  const line = { ...listing, bytesIn: 1, bytesOut: 1, durationMs: 1 }
  metrics.observe({ ...line, listing: 'fresh' })
  metrics.observe({ ...line, listing: 'cached' })
  metrics.observe({ ...line, listing: 'cached' })
  metrics.observe(line)
  await has(t, metrics, {
    'pinwarden_listings_total{origin="fresh"}': 1,
    'pinwarden_listings_total{origin="cached"}': 2,
    'pinwarden_listings_total{origin="shared"}': undefined,
  })
})

t.test('the exposition names every instrument', async (t) => {
  const metrics = start()
  metrics.observe(pinned)
  metrics.observe(turnedAway)
  const text = await metrics.exposition()
  for (const [name, type] of Object.entries({
    pinwarden_requests_total: 'counter',
    pinwarden_request_duration_seconds: 'histogram',
    pinwarden_upstream_duration_seconds: 'histogram',
    pinwarden_requests_in_flight: 'gauge',
    pinwarden_refusals_total: 'counter',
    pinwarden_auth_failures_total: 'counter',
    pinwarden_faults_total: 'counter',
    pinwarden_aborts_total: 'counter',
    pinwarden_bugs_total: 'counter',
    pinwarden_listings_total: 'counter',
    pinwarden_received_bytes_total: 'counter',
    pinwarden_sent_bytes_total: 'counter',
    pinwarden_pins_total: 'counter',
    pinwarden_unpins_total: 'counter',
    pinwarden_time_to_pinned_seconds: 'histogram',
    pinwarden_pins_settled_total: 'counter',
    pinwarden_pins_unsettled: 'gauge',
    pinwarden_endpoint_up: 'gauge',
    pinwarden_log_lines_dropped_total: 'counter',
    pinwarden_config_last_reload_successful: 'gauge',
    pinwarden_config_last_reload_success_timestamp_seconds: 'gauge',
    pinwarden_certificate_expiry_timestamp_seconds: 'gauge',
    pinwarden_build_info: 'gauge',
    process_resident_memory_bytes: 'gauge',
    process_cpu_seconds_total: 'counter',
    nodejs_eventloop_lag_p99_seconds: 'gauge',
    nodejs_heap_size_used_bytes: 'gauge',
  })) {
    t.ok(text.includes(`# TYPE ${name} ${type}\n`), name)
  }
  t.equal(metrics.contentType, 'text/plain; version=0.0.4; charset=utf-8')
  t.ok(text.includes(`pinwarden_build_info{version="1.2.3",node="${process.version}"} 1\n`))
})

t.test('an answered pin is counted by encoder, permission and class of status', async (t) => {
  const metrics = start()
  metrics.observe(pinned)
  metrics.observe(pinned)
  await has(t, metrics, {
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
  const metrics = start()
  metrics.observe(turnedAway)
  metrics.observe({
    ...turnedAway,
    encoder: 'alpha',
    permission: 'unpin',
    status: 403,
    reason: 'not-permitted',
  })
  await has(t, metrics, {
    'pinwarden_requests_total{encoder="",permission="",code="4xx"}': 1,
    'pinwarden_refusals_total{reason="key-unknown",encoder=""}': 1,
    'pinwarden_refusals_total{reason="not-permitted",encoder="alpha"}': 1,
    'pinwarden_auth_failures_total{reason="key-unknown"}': 1,
    'pinwarden_auth_failures_total{reason="not-permitted"}': undefined,
    'pinwarden_unpins_total{encoder="alpha",result="refused"}': 1,
    'pinwarden_upstream_duration_seconds_count{permission=""}': undefined,
  })
})

t.test('faults, aborts and bugs are counted apart', async (t) => {
  const metrics = start()
  const unanswered = { ...pinned, upstreamStatus: 0 }
  metrics.observe({ ...pinned, outcome: 'fault', reason: 'cluster-cut' })
  metrics.observe({ ...unanswered, status: 499, outcome: 'aborted', reason: 'client-left' })
  metrics.observe({ ...unanswered, status: 500, outcome: 'bug', reason: 'internal-error' })
  metrics.observe({ ...pinned, status: 500, upstreamStatus: 500 })
  await has(t, metrics, {
    'pinwarden_faults_total{reason="cluster-cut"}': 1,
    'pinwarden_aborts_total{reason="client-left"}': 1,
    pinwarden_bugs_total: 1,
    'pinwarden_pins_total{encoder="alpha",result="failed"}': 4,
    'pinwarden_pins_total{encoder="alpha",result="ok"}': undefined,
  })
})

t.test('a pin that the cluster took counts as done, though its client left', async (t) => {
  const metrics = start()
  metrics.observe({ ...pinned, outcome: 'aborted', reason: 'client-left' })
  await has(t, metrics, { 'pinwarden_pins_total{encoder="alpha",result="ok"}': 1 })
})

t.test('what is asked for when it is read is as it is then', async (t) => {
  let inFlight = 3
  let dropped = 0
  const metrics = start({ inFlight: () => inFlight, linesDropped: () => dropped })
  await has(t, metrics, { pinwarden_requests_in_flight: 3, pinwarden_log_lines_dropped_total: 0 })
  inFlight = 1
  dropped = 7
  await has(t, metrics, { pinwarden_requests_in_flight: 1, pinwarden_log_lines_dropped_total: 7 })
  await has(t, metrics, { pinwarden_log_lines_dropped_total: 7 })
})

t.test('each endpoint of the cluster is counted by itself', async (t) => {
  const one = { name: 'a:9094', state: 'up', load: 2, answers: 5, answerMs: 1500 } as const
  const other = { name: 'b:9094', state: 'down', load: 0, answers: 0, answerMs: 0 } as const
  const faults = new Map([['cluster-hung-up', 3]] as const)
  const endpoints = () => [
    { ...one, faults: new Map() },
    { ...other, faults },
  ]
  await has(t, start({ endpoints }), {
    'pinwarden_endpoint_up{endpoint="a:9094"}': 1,
    'pinwarden_endpoint_up{endpoint="b:9094"}': 0,
    'pinwarden_endpoint_requests_in_flight{endpoint="a:9094"}': 2,
    'pinwarden_endpoint_answers_total{endpoint="a:9094"}': 5,
    'pinwarden_endpoint_answer_seconds_total{endpoint="a:9094"}': 1.5,
    'pinwarden_endpoint_faults_total{endpoint="b:9094",reason="cluster-hung-up"}': 3,
  })
})

t.test('what became of pins is counted by encoder, and timed when they are pinned', async (t) => {
  const unsettled = () => new Map([['alpha', { pending: 2, failing: 1 }]])
  const metrics = start({ unsettled })
  const news = { cid: 'Qm', encoder: 'alpha', error: '' } as const
  metrics.settled({ ...news, result: 'pinned', ms: 4000 })
  metrics.settled({ ...news, result: 'failed', ms: 120_000, error: 'context canceled' })
  metrics.settled({ ...news, result: 'recovered', ms: 720_000 })
  await has(t, metrics, {
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

t.test('a reload that fails leaves the time of the last good one', async (t) => {
  const metrics = start()
  const successful = 'pinwarden_config_last_reload_successful'
  const timestamp = 'pinwarden_config_last_reload_success_timestamp_seconds'
  await has(t, metrics, { [successful]: 0, [timestamp]: undefined })
  metrics.reloaded(true)
  const at = await valueOf(metrics, timestamp)
  t.ok(at !== undefined && Math.abs(at - Date.now() / 1000) < 60)
  metrics.reloaded(false)
  await has(t, metrics, { [successful]: 0, [timestamp]: at })
})

t.test('the expiry of the certificate is there only while there is one', async (t) => {
  const metrics = start()
  const expiry = 'pinwarden_certificate_expiry_timestamp_seconds'
  await has(t, metrics, { [expiry]: undefined })
  metrics.certificateExpires(new Date('2030-01-01T00:00:00Z'))
  await has(t, metrics, { [expiry]: 1_893_456_000 })
  metrics.certificateExpires(undefined)
  await has(t, metrics, { [expiry]: undefined })
})

t.test('hostile words never become labels', async (t) => {
  const metrics = start()
  for (const word of [
    '__proto__',
    'Alpha',
    'a"} 1\npinwarden_bugs_total 9',
    'x'.repeat(64),
    '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?name=x',
    'é',
  ]) {
    metrics.observe({ ...turnedAway, encoder: word, reason: word })
  }
  t.same(await seriesIn(metrics, 'pinwarden_refusals_total'), [
    'pinwarden_refusals_total{reason="_other",encoder="_other"} 6',
  ])
  await has(t, metrics, {
    'pinwarden_requests_total{encoder="_other",permission="",code="4xx"}': 6,
    pinwarden_bugs_total: 0,
  })
})

t.test('words that are well-formed but far too many count together', async (t) => {
  const metrics = start()
  for (let i = 0; i < 3000; i++) {
    metrics.observe({ ...turnedAway, encoder: `e${i}`, reason: `r${i}`, status: i })
  }
  t.ok((await seriesIn(metrics, 'pinwarden_requests_total')).length <= 1024 + 6)
  t.ok((await seriesIn(metrics, 'pinwarden_refusals_total')).length <= 1024 + 128)
  t.equal((await seriesIn(metrics, 'pinwarden_auth_failures_total')).length, 1)
})

t.test('statuses outside of HTTP have no class', async (t) => {
  const metrics = start()
  for (const status of [0, 99, 600, -1]) metrics.observe({ ...pinned, status })
  await has(t, metrics, {
    'pinwarden_requests_total{encoder="alpha",permission="pin",code=""}': 4,
  })
})

t.test('bytes that a cut connection takes back do not count backwards', async (t) => {
  const metrics = start()
  metrics.observe({ ...pinned, bytesIn: -1, bytesOut: -5 })
  await has(t, metrics, { pinwarden_received_bytes_total: 0, pinwarden_sent_bytes_total: 0 })
})

t.test('two sets of instruments in one process do not know of each other', async (t) => {
  const [one, other] = [start(), start()]
  one.observe(pinned)
  await has(t, one, { pinwarden_received_bytes_total: 300 })
  await has(t, other, { pinwarden_received_bytes_total: 0 })
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
  const metrics = start()
  metrics.observe(line)
  const text = await metrics.exposition()
  t.notMatch(text, line.path)
  t.notMatch(text, line.client)
})
