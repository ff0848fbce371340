/** The last hour, counted with a clock of the test's own. */
import t from 'tap'
import { Activity, type Ended, encodersShownMax } from '../../src/admin/activity.js'
import { activityReport } from '../../src/admin/activity-report.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { snapshotFrom } from '../support/snapshot-from.js'

const start = Date.UTC(2026, 0, 1)
const minuteMs = 60_000

function watched(alpha = { pending: 0, failing: 0 }) {
  const clock = { now: start }
  const activity = new Activity(() => clock.now)
  const standing = {
    budgetLeft: () => undefined,
    pendingPins: () => new Map([['alpha', alpha]]),
  }
  const observe = (line: Partial<Ended>) => {
    activity.observe({ ...answered, ...line })
  }
  const report = (encoders: object = {}) =>
    activityReport(activity, snapshot(encoders), standing, clock.now)
  return { clock, activity, observe, report }
}

const answered: Ended = {
  id: 'r1',
  encoder: 'alpha',
  client: '192.0.2.1',
  method: 'GET',
  path: '/id',
  status: 200,
  outcome: 'answered',
  durationMs: 4,
  upstreamStatus: 200,
}
const refused = { outcome: 'refused', reason: 'rate-limited', status: 429 } as const
const failed = { outcome: 'fault', reason: 'cluster-timeout', status: 504 } as const

const snapshot = (encoders: object) =>
  snapshotFrom(
    { cluster: { endpoints: [{ url: 'http://127.0.0.1:9094' }] }, encoders },
    { baseDir: '/' },
  )

t.test('the time of an event stays the same until the wall clock is set', (t) => {
  const activity = new Activity(() => 1000.4)
  t.equal(activity.timeOf(600.2, start), start - 400)
  t.equal(activity.timeOf(600.2, start + 3), start - 400, 'clocks are not read at one moment')
  t.equal(activity.timeOf(600.2, start + 3_600_000), start - 400 + 3_600_000)
  t.end()
})

t.test('outcomes of pins are counted for an hour, pending pins as they are now', async (t) => {
  const { clock, activity, observe, report } = watched({ pending: 3, failing: 1 })
  observe({})
  const event = { cid: 'Qm', ms: 1, error: '' } as const
  activity.pinEvent({ ...event, encoder: 'alpha', result: 'pinned' })
  activity.pinEvent({ ...event, encoder: 'alpha', result: 'recovered' })
  activity.pinEvent({ ...event, encoder: 'alpha', result: 'failed' })
  activity.pinEvent({ ...event, encoder: 'unseen', result: 'failed' })
  t.same(report().encoders[0]?.pins, { pinned: 2, failed: 1, pending: 3, failing: 1 })
  t.equal(report().encoders.length, 1)
  t.same(report().pins, { pinned: 2, failed: 2, pending: 3, failing: 1 }, 'also of the others')
  clock.now += 61 * minuteMs
  observe({})
  t.same(report().encoders[0]?.pins, { pinned: 0, failed: 0, pending: 3, failing: 1 })
})

t.test('requests are counted by encoder, by reason and by time', async (t) => {
  const { clock, observe, report } = watched()
  for (let count = 0; count < 98; count++) observe({ durationMs: 4 })
  observe({ durationMs: 400 })
  observe({ durationMs: 400 })
  clock.now += 10_000
  observe(refused)
  observe({ ...failed, encoder: 'beta' })
  observe({ ...refused, encoder: undefined, reason: 'bad-credential' })
  observe({ outcome: 'aborted', reason: 'client-left' })

  const { series, encoders, strangers, refusals, cluster } = report()
  const [alpha, beta] = encoders
  t.match(alpha, { name: 'alpha', requests: 102, refused: 1, failed: 0, lastSeen: start + 10_000 })
  t.same(alpha?.reasons, { 'rate-limited': 1 })
  t.match(beta, { name: 'beta', requests: 1, refused: 0, failed: 1, p50: null, p99: null })
  t.match(strangers, { requests: 1, refused: 1, reasons: { 'bad-credential': 1 } })
  t.equal(series.requests.length, 360)
  t.same(series.requests.slice(-3), [null, 100, 4], 'nothing is known of before the start')
  t.same(series.refused.slice(-3), [null, 0, 2])
  t.same(series.failed.slice(-2), [0, 1])
  t.same(series.p50.slice(-2), [4, null])
  t.equal(series.from, start + 10_000 - 359 * series.stepMs)
  t.same(
    refusals.map(({ encoder, reason, count }) => [encoder, reason, count]),
    [
      ['alpha', 'rate-limited', 1],
      ['beta', 'cluster-timeout', 1],
      [null, 'bad-credential', 1],
    ],
  )
  t.match(cluster, { lastAnswered: start + 10_000, lastFault: { reason: 'cluster-timeout' } })
})

t.test('a fault of the store or of a lock does not count as a fault of the cluster', async (t) => {
  const { observe, report } = watched()
  observe({ ...failed, reason: 'store-timeout' })
  observe({ ...failed, reason: 'lock-timeout' })
  t.equal(report().cluster.lastFault, null)
  t.same(
    report()
      .refusals.map(({ reason }) => reason)
      .sort(),
    ['lock-timeout', 'store-timeout'],
  )
})

t.test('the median and the 99th percentile are accurate to a tenth', async (t) => {
  const { observe, report } = watched()
  for (let ms = 1; ms <= 1000; ms++) observe({ durationMs: ms })
  observe({ durationMs: 250_000, listing: 'fresh' })
  const [alpha] = report().encoders
  t.ok(Math.abs((alpha?.p50 ?? 0) / 500 - 1) < 0.1, String(alpha?.p50))
  t.ok(Math.abs((alpha?.p99 ?? 0) / 990 - 1) < 0.1, String(alpha?.p99))
})

t.test('durations beyond the scale count at its ends', async (t) => {
  const { observe, report } = watched()
  for (const durationMs of [0, 0.001, 1e9]) observe({ durationMs })
  const [alpha] = report().encoders
  t.equal(alpha?.p50, 0.25)
  t.ok((alpha?.p99 ?? 0) > 1_000_000)
})

t.test('after an hour only the time when an encoder was last seen is left', async (t) => {
  const { clock, observe, report } = watched()
  observe({})
  observe(refused)
  clock.now += 30 * minuteMs
  observe({})
  t.match(report().encoders[0], { requests: 3, refused: 1 })
  clock.now += 31 * minuteMs
  t.match(report().encoders[0], { requests: 1, refused: 0, reasons: {} })
  clock.now += 61 * minuteMs
  const { encoders, series } = report()
  t.match(encoders[0], { requests: 0, p50: null, lastSeen: start + 30 * minuteMs })
  t.ok(series.requests.every((count) => count === 0))
  t.same(report().refusals, [])
  // Steps are used again.
  observe({})
  t.match(report().encoders[0], { requests: 1, p50: 4 })
})

t.test('a clock that is set back neither hides nor loses anything of the hour', async (t) => {
  const steady = { now: 5000 }
  const activity = new Activity(() => steady.now)
  const standing = { budgetLeft: () => undefined, pendingPins: () => new Map() }
  const report = (wallMs: number) => activityReport(activity, snapshot({}), standing, wallMs)
  activity.observe(answered)
  activity.observe({ ...answered, ...failed, id: 'first' })
  steady.now += minuteMs
  activity.observe({ ...answered, ...failed, id: 'second' })
  for (const wallMs of [start, start - 60 * minuteMs]) {
    const { encoders, series, refusals, cluster } = report(wallMs)
    t.match(encoders[0], { requests: 3, lastSeen: wallMs })
    t.equal(
      series.requests.reduce<number>((sum, count) => sum + (count ?? 0), 0),
      3,
    )
    t.equal(series.from, wallMs - (steady.now % series.stepMs) - 359 * series.stepMs)
    t.match(refusals[0]?.requests, [
      { id: 'second', time: wallMs },
      { id: 'first', time: wallMs - minuteMs },
    ])
    t.equal(cluster.lastAnswered, wallMs)
  }
})

t.test('the number of problems and encoders is bounded', async (t) => {
  const { clock, observe, report } = watched()
  for (let count = 0; count < 250; count++) {
    clock.now += 1
    observe({ ...refused, id: `r${count}` })
  }
  const { refusals } = report()
  t.match(refusals, [{ reason: 'rate-limited', count: 250 }])
  const ids = refusals[0]?.requests.map(({ id }) => id) ?? []
  t.same([ids.length, ids[0], ids.at(-1)], [10, 'r249', 'r240'])

  for (let count = 0; count < 600; count++) {
    clock.now += 1
    observe({ ...refused, encoder: `e${count}` })
  }
  const many = report()
  t.equal(many.refusals.length + many.refusalsNotShown, 512)
  t.equal(many.refusals[0]?.encoder, 'e599')
  const requests = many.refusals.reduce((sum, group) => sum + group.requests.length, 0)
  t.ok(requests <= 300, 'and of all of them no more requests are told than of a few')

  for (let count = 0; count < encodersShownMax + 10; count++) {
    clock.now += 100
    observe({ encoder: `e${count}` })
  }
  observe({ encoder: 'too-soon' })
  const { encoders, encodersNotShown } = report({ quiet: {} })
  t.equal(encoders.length, encodersShownMax)
  t.equal(encodersNotShown, 1)
  const names = new Set(encoders.map(({ name }) => name))
  t.notOk(names.has('alpha'), 'the one that was away the longest went first')
  t.ok(names.has(`e${encodersShownMax + 9}`))
  t.notOk(names.has('too-soon'), 'places change hands ten times a second at most')
})

t.test(
  'encoders of the settings are listed with role, limits and keys, without digests',
  async (t) => {
    const { report } = watched()
    const digests = [digestOf(generateKey()), digestOf(generateKey()), digestOf(generateKey())]
    const [first = '', second = '', third = ''] = digests
    const shown = report({
      beta: { enabled: false, role: 'reader' },
      alpha: {
        limits: { writes: { max: 7 } },
        keys: [
          { id: 'old', sha256: first, expires: '2025-12-31T00:00:00Z' },
          { id: 'now', sha256: second, expires: '2026-02-01T00:00:00Z' },
          { id: 'new', sha256: third },
        ],
      },
    })
    const [alpha, beta] = shown.encoders
    t.match(alpha, {
      name: 'alpha',
      role: 'pinner',
      isEnabled: true,
      lastSeen: null,
      requests: 0,
      liveKeys: 2,
      keyExpires: Date.UTC(2026, 1, 1),
    })
    t.match(alpha?.limits[2], { budget: 'writes', used: 0, max: 7 })
    t.match(beta, { name: 'beta', role: 'reader', isEnabled: false, liveKeys: 0, keyExpires: null })
    for (const digest of digests) t.notMatch(JSON.stringify(shown), digest)
  },
)
