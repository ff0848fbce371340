/** A pin that waits too long for its CID's lock: its fault, and which part is not blamed. */
import { Deadline } from '../../../src/time/deadline.js'
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { withoutStateReads } from '../../support/asked.js'
import { has } from '../../support/exposition.js'
import { startFailingWire } from '../../support/failing-wire.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { noRedis as skip, TestRedis } from '../../support/redis.js'
import { type Answer, type Overrides, startGate, type TestGate } from '../../support/start-gate.js'

const cid = generatedCid(5)
const health = { intervalMs: 3_600_000, failuresMax: 1 }
const inHaste = { health, writeTimeoutMs: 1000 }

/** A gate whose lock of the CID is held by a pin that the cluster does not answer yet. */
async function withHeldLock(t: Test, overrides: Overrides = {}) {
  const settings = { enforcement: 'enforce', ...overrides } as const
  const gate = await startGate(t, { ...settings, cluster: { health } })
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  gate.cluster.behave({ method: 'POST' }, { kind: 'hold', until }, 1)
  const holder = gate.ask('POST', `/pins/${cid}?name=holder`)
  while (!gate.cluster.requests.some(({ method }) => method === 'POST'))
    await gate.cluster.nextRequest()
  gate.replace({ ...settings, cluster: inHaste })
  return { gate, holder, release }
}

async function isLate(t: Test, gate: TestGate, answer: Answer): Promise<void> {
  t.equal(answer.status, 504)
  t.match(answer.headers.get('content-type'), /^application\/json/)
  t.same(answer.json, { code: 504, message: 'another change of this pin did not end in time' })
  const line = await gate.line(({ status }) => status === 504)
  t.match(line, { outcome: 'fault', reason: 'lock-timeout', cid })
  t.equal(line.upstreamError, undefined)
}

/** Nothing of it counts against the cluster. */
function isWell(t: Test, { endpoints }: TestGate): void {
  t.match(endpoints, [{ state: 'up' }])
  t.same([...(endpoints[0]?.faults ?? [])], [])
}

const pinsAskedOf = ({ cluster }: TestGate) =>
  withoutStateReads(cluster).filter(({ target }) => target !== '/id')

t.test('a change that waits too long for its lock is a fault of the lock alone', async (t) => {
  const { gate, holder, release } = await withHeldLock(t)
  const late = ['POST', 'DELETE'].map((method) => gate.ask(method, `/pins/${cid}`))
  for (const answer of await Promise.all(late)) await isLate(t, gate, answer)
  t.equal(gate.lines.filter(({ reason }) => reason === 'lock-timeout').length, 2)
  await has(t, gate.metrics, { 'pinwarden_faults_total{reason="lock-timeout"}': 2 })
  isWell(t, gate)
  release()
  t.equal((await holder).status, 200)
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200, 'the lock is free again')
})

t.test('a lock that another gate holds is also a fault of the lock', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const store = { redis: redis.url, timeoutMs: 2000 }
  const gate = await startGate(t, { enforcement: 'enforce', cluster: inHaste, store })
  const client = new Redis(redis.url)
  await client.set(`pinwarden:{${cid}}:turn`, 'another gate', 'PX', 60_000)
  gate.cluster.reset()
  await isLate(t, gate, await gate.ask('POST', `/pins/${cid}`))
  await has(t, gate.metrics, { 'pinwarden_faults_total{reason="lock-timeout"}': 1 })
  t.same(gate.cluster.requests, [], 'the cluster is not asked')
  isWell(t, gate)
  await client.quit()
})

t.test('a lock that the store grants when time is up is also late', { skip }, async (t) => {
  const wire = await startFailingWire(t, (await TestRedis.start(t)).port)
  const gate = await startGate(t, { store: { redis: wire.url, timeoutMs: 5000 } })
  const release = wire.hold(':turn')
  const open = () => gate.ledger.changes.open(cid, new Deadline(20))
  const first = open()
  const late = [{ status: 'rejected', reason: { reason: 'lock-timeout' } }]
  // The first one has waited as long once the second one, behind it, is late.
  t.match(await Promise.allSettled([open()]), late)
  release()
  t.match(await Promise.allSettled([first]), late)
  // A gate with a store asks at its start which cluster that is.
  t.same(pinsAskedOf(gate), [], 'the cluster is not asked of the pin')
})

t.test(
  'with onOutage journal the late pin is queued, and replayed when the lock is free',
  async (t) => {
    const { gate, holder, release } = await withHeldLock(t, { onOutage: 'journal' })
    t.equal((await gate.ask('POST', `/pins/${cid}?name=late`)).status, 202)
    t.match(await gate.line(({ status }) => status === 202), {
      outcome: 'journaled',
      reason: 'lock-timeout',
    })
    t.match(await gate.logged('could not replay a pin of the journal yet'), {
      ...{ cid, reason: 'lock-timeout' },
    })
    isWell(t, gate)
    release()
    t.equal((await holder).status, 200)
    gate.retryQueue()
    await gate.logged('replayed a pin of the journal')
    t.equal(gate.cluster.pins.get(cid)?.name, 'late')
  },
)
