/** Which problems raise an alarm, since when, and which do not. */
import t from 'tap'
import { Activity } from '../../src/admin/activity.js'
import { AlarmWatch, type Gathered } from '../../src/admin/alarm-watch.js'
import { keyEnds } from '../../src/admin/key-ends.js'
import { ledgerText } from '../../src/admin/ledger-text.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { dayMs, hourMs, minuteMs } from '../../src/time/units.js'
import { snapshotFrom } from '../support/snapshot-from.js'

const up = { name: 'a:9094', state: 'up', since: '2026-01-01T00:00:00Z' } as const
const downSince = '2026-01-02T00:00:00.000Z'
const reason = 'cluster-timeout'
const down = { name: 'b:9094', state: 'down', reason, since: downSince } as const
const ledger = {
  repairs: { missing: 0, unexpected: 0 },
  reported: { missing: 0, unexpected: 0 },
  reportedRows: { missing: 0, unexpected: 0 },
  ...{ owedRows: 7, doubts: 0, oldestDoubtMs: undefined, isWalking: false, isWritable: true },
  ...{ isCopy: false, unheardGates: [], news: { waiting: 0, dropped: 0 } },
  ...{ bytes: 4096, freeBytes: 1024 ** 4, hasNoInodes: false, commits: { count: 1, seconds: 0.1 } },
}
const well: Gathered['status'] = {
  ...{ version: '1', node: 'v24', startedAt: '2026-01-01T00:00:00Z', url: 'https://gate' },
  ...{ cluster: [], endpoints: [up], journal: null, store: null, encoders: 1, ledger },
  ...{ requestsInFlight: 0, logLinesDropped: 0, certificateExpires: null },
  settings: { since: '2026-01-01T00:00:00Z', isLastRefused: false },
}
const nothing: Gathered = { status: well, keyEnds: [], failing: new Map(), linesDropped: 0 }

function watched() {
  const clock = { now: 1e6 }
  const activity = new Activity(() => clock.now)
  const facts = { ...nothing } as { -readonly [Name in keyof Gathered]: Gathered[Name] }
  const watch = new AlarmWatch(
    activity,
    () => Promise.resolve(facts),
    () => undefined,
  )
  const ids = async () => (await watch.look()).alarms.map(({ id }) => id)
  return { clock, activity, facts, watch, ids }
}

const storeDown = { isUp: false, isRefusing: false, faults: 1, skipped: 0 }

t.test('status says what a comparison could not decide yet', async (t) => {
  const undecided = { missing: 2, unexpected: 1, waitMs: 360_000 }
  t.match(ledgerText({ ...ledger, undecided }), /; 3 differ, but are too recent or in doubt/)
  t.notMatch(ledgerText(ledger), 'differ')
})

t.test('a healthy gate has no alarms', async (t) => {
  t.same(await watched().ids(), [])
})

t.test('each problem is one alarm, the urgent ones first', async (t) => {
  const queue = { waiting: 2, replayed: 0, dropped: 0, rejected: 1 }
  const keyEnd = { encoder: 'alpha', keyId: 'k1', expires: Date.now() + 2 * dayMs }
  const inDays = (days: number) => new Date(Date.now() + days * dayMs).toISOString()
  const cases: readonly [Partial<Gathered['status']>, Partial<Gathered>, readonly string[]][] = [
    [{ endpoints: [up, down] }, {}, ['endpoint-down b:9094']],
    [{ endpoints: [up, { ...down, lagSeconds: 900 }] }, {}, ['endpoint-down b:9094']],
    [{ endpoints: [{ ...up, lagSeconds: 900 }] }, {}, ['peer-lags a:9094']],
    [{ endpoints: [{ ...up, lagSeconds: 60 }] }, {}, []],
    [{ endpoints: [down], journal: queue }, {}, ['cluster-down', 'queue-rejected']],
    [{ journal: queue }, {}, ['queue-waits', 'queue-rejected']],
    [{ ledger: { ...ledger, isWritable: false } }, {}, ['ledger-not-writable']],
    [{ ledger: { ...ledger, isCopy: true } }, {}, ['ledger-copy']],
    [{ endpoints: [{ ...up, clockAheadMs: 3 * hourMs }] }, {}, ['clocks-differ a:9094']],
    [{ endpoints: [{ ...up, clockAheadMs: -2 * minuteMs }] }, {}, ['clocks-differ a:9094']],
    [{ endpoints: [{ ...up, clockAheadMs: minuteMs }] }, {}, []],
    [{ ledger: { ...ledger, freeBytes: 1000 } }, {}, ['ledger-disk-low']],
    [{ ledger: { ...ledger, hasNoInodes: true } }, {}, ['ledger-disk-low']],
    [{ ledger: { ...ledger, doubts: 3, oldestDoubtMs: 2 * hourMs } }, {}, ['ledger-doubts']],
    [{ ledger: { ...ledger, doubts: 3, oldestDoubtMs: minuteMs } }, {}, []],
    [
      { ledger: { ...ledger, reportedRows: { missing: 1, unexpected: 0 } } },
      {},
      ['ledger-reports'],
    ],
    [{ certificateExpires: inDays(2) }, {}, ['certificate-ends']],
    [{ certificateExpires: inDays(4) }, {}, []],
    [{ settings: { ...well.settings, isLastRefused: true } }, {}, ['settings-refused']],
    [{ settings: { ...well.settings, needRestart: ['listen.port'] } }, {}, ['settings-wait']],
    [{ store: { ...storeDown, problem: 'silence' } }, {}, ['store-down']],
    [{ store: { ...storeDown, problem: 'namespace' } }, {}, ['store-of-another-cluster']],
    [
      { ledger: { ...ledger, unheardGates: ['x3k9q2ab'], doubts: 1, oldestDoubtMs: minuteMs } },
      {},
      ['gates-unheard'],
    ],
    [{ ledger: { ...ledger, unheardGates: ['x3k9q2ab'] } }, {}, []],
    [
      { ledger: { ...ledger, unheardGates: ['x3k9q2ab'], isComparisonLate: true } },
      {},
      ['gates-unheard'],
    ],
    [{ ledger: { ...ledger, isComparisonLate: true } }, {}, ['ledger-not-compared']],
    [{}, { failing: new Map([['alpha', 2]]) }, ['pins-fail']],
    [{}, { linesDropped: 5 }, ['log-lines-lost']],
    [{ certificateExpires: inDays(2) }, { keyEnds: [keyEnd] }, ['certificate-ends', 'keys-end']],
    [{}, { keyEnds: [{ ...keyEnd, expires: Date.now() + 8 * dayMs }] }, []],
  ]
  for (const [status, others, expected] of cases) {
    const { facts, ids } = watched()
    Object.assign(facts, others, { status: { ...well, ...status } })
    t.same(await ids(), expected, JSON.stringify([status, others]))
  }
})

t.test('an alarm of the store says what it does, and what becomes of requests', async (t) => {
  const { facts, watch } = watched()
  const alarmOf = async (store: object) => {
    facts.status = { ...well, store: { ...storeDown, ...store } }
    return (await watch.look()).alarms[0]
  }
  t.match(await alarmOf({ problem: 'silence', fault: 'ECONNREFUSED' }), {
    severity: 'soon',
    what: 'The store that the gates share does not answer (ECONNREFUSED).',
    cause: /Limits and locks are those of this gate alone\.$/,
    next: /whether it runs/,
  })
  t.match(await alarmOf({ problem: 'errors', fault: 'NOREPLICAS', isRefusing: true }), {
    severity: 'urgent',
    what: 'The store that the gates share answers with errors (NOREPLICAS).',
    cause: /Every request gets 503, by store\.failMode\.$/,
    next: /replicas/,
  })
  t.match(await alarmOf({ problem: 'cluster' }), { what: /waits until the cluster says/ })
})

t.test('an alarm says since when, which part is at fault and what to do, and ends', async (t) => {
  const { clock, facts, watch, ids } = watched()
  facts.status = { ...well, endpoints: [down], settings: { ...well.settings, isLastRefused: true } }
  const before = Date.now()
  const [cluster] = (await watch.look()).alarms
  t.match(cluster, {
    what: 'The cluster does not answer: b:9094 (cluster-timeout).',
    cause: /Every encoder/,
    next: /systemctl/,
    since: Date.parse(downSince),
  })
  t.match(cluster?.next, / curl http:\/\/b:9094\/id\.$/)
  clock.now += 5 * minuteMs
  const settings = (await watch.look()).alarms[1]
  const sinceMs = (settings?.since ?? 0) - (before - 5 * minuteMs)
  t.ok(sinceMs >= 0 && sinceMs < minuteMs, 'it is remembered from the first look on')
  facts.status = well
  t.same(await ids(), [])
})

t.test('a cluster that refuses the login of the gate is not said to be silent', async (t) => {
  const { facts, watch } = watched()
  const refused = { ...down, reason: 'cluster-auth' }
  for (const endpoints of [[refused], [up, refused]]) {
    facts.status = { ...well, endpoints }
    const [alarm] = (await watch.look()).alarms
    t.match(alarm?.what, /b:9094 \(cluster-auth\)/)
    t.notMatch(alarm?.what, /does not answer/)
    t.match(alarm?.next, /401.*username and passwordFile in cluster\.endpoints/)
  }
  const [one, two] = [
    { ...down, name: '/run/c.sock' },
    { ...down, name: 'c:1' },
  ]
  facts.status = { ...well, endpoints: [{ ...one, url: 'http://localhost' }, two] }
  const [alarm] = (await watch.look()).alarms
  t.match(alarm?.next, 'curl --unix-socket /run/c.sock http://localhost/id; curl http://c:1/id.')
})

t.test('lost lines and bugs stop being an alarm after an hour', async (t) => {
  const { clock, activity, facts, ids } = watched()
  const line = { id: 'r', client: '192.0.2.1', method: 'GET', path: '/id', durationMs: 1 }
  activity.observe({ ...line, encoder: 'alpha', status: 500, outcome: 'bug' })
  facts.linesDropped = 3
  t.same(await ids(), ['log-lines-lost', 'bugs'])
  clock.now += hourMs + 1
  t.same(await ids(), [])
  facts.linesDropped = 4
  t.same(await ids(), ['log-lines-lost'])
})

t.test('many failed requests raise an alarm, a few do not', async (t) => {
  const { activity, ids } = watched()
  const line = { id: 'r', client: '192.0.2.1', method: 'GET', path: '/id', durationMs: 1 }
  const fault = { outcome: 'fault', reason: 'cluster-timeout', status: 504 } as const
  for (let count = 0; count < 5; count++) activity.observe({ ...line, encoder: 'a', ...fault })
  t.same(await ids(), [])
  activity.observe({ ...line, encoder: 'a', ...fault })
  t.same(await ids(), ['cluster-faults'])
  for (let count = 0; count < 100; count++)
    activity.observe({ ...line, encoder: 'a', outcome: 'answered', status: 200 })
  t.same(await ids(), [])
})

t.test('a key that expires soon raises an alarm if it is in use, or the last one', async (t) => {
  const now = Date.now()
  const key = (id: string, days?: number) => ({
    ...{ id, sha256: digestOf(generateKey()) },
    ...(days !== undefined && { expires: new Date(now + days * dayMs).toISOString() }),
  })
  const encoders = {
    rotated: { keys: [key('old', 2), key('new')] },
    slow: { keys: [key('used', 2), key('new')] },
    last: { keys: [key('older', 1), key('k1', 3)] },
    over: { keys: [key('k1', -1)] },
    gone: { keys: [key('k1', -8)] },
    far: { keys: [key('k1', 31)] },
    off: { enabled: false, keys: [key('k1', 1)] },
    endless: { keys: [key('k1')] },
  }
  const { config } = snapshotFrom(
    { cluster: { endpoints: [{ url: 'http://127.0.0.1:9094' }] }, encoders },
    { baseDir: '/' },
  )
  const ends = keyEnds(config.encoders, (_encoder, id) => id === 'used', now)
  t.same(
    ends.map(({ encoder, keyId }) => `${encoder}/${keyId}`),
    ['over/k1', 'slow/used', 'last/k1'],
  )
})
