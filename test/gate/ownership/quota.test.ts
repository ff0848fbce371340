/** Quotas: what an encoder may hold, and how much of it may be unfinished at a time. */
import t from 'tap'
import { leaseIdOf } from '../../../src/settings/values/lease-id.js'
import { askedOf } from '../../support/asked.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const path = (index: number) => `/pins/${generatedCid(index)}`

/** The gate counts by itself, soon after its start: no test waits for that but one. */
async function counted(gate: TestGate): Promise<void> {
  if (!(await gate.ledger.holdings.refresh())) throw new Error('could not count')
}

t.test('leases over the quota are refused with the figures, and not sent', async (t) => {
  const gate = await startGate(t, {
    enforcement: 'enforce',
    encoders: { beta: { limits: { leases: 2 } } },
  })
  await counted(gate)
  const as = 'beta'
  for (const index of [1, 2]) t.equal((await gate.ask('POST', path(index), { as })).status, 200)
  t.match(await gate.ask('POST', path(3), { as }), {
    status: 403,
    json: { code: 403, message: 'quota exceeded: too many pins held: 2 of 2' },
  })
  t.notOk(askedOf(gate.cluster).includes(`POST ${path(3)}`))
  t.equal((await gate.ask('POST', path(1), { as })).status, 200, 'renewing is no new lease')
  await gate.ask('DELETE', path(1), { as })
  t.equal((await gate.ask('POST', path(3), { as })).status, 200)
  t.equal((await gate.ask('POST', path(9))).status, 200, 'others have their own')
})

t.test('what an encoder held before the start counts, once it was counted', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 3 } })
  const metadata = new Map([[`pinwarden.lease.${leaseIdOf('alpha')}`, '20260101T000000Z/..']])
  for (const index of [1, 2]) gate.cluster.addPin(generatedCid(index), { metadata })
  const feed = gate.cluster.behave({ path: '/allocations' }, { kind: 'stall' })
  for (const index of [3, 4, 5]) t.equal((await gate.ask('POST', path(index))).status, 200)
  t.equal((await gate.ask('POST', path(6))).status, 403, 'what it wrote counts before')
  await gate.ask('DELETE', path(5))
  feed.release()
  await gate.logged('counted leases')
  t.match(await gate.ask('POST', path(6)), { status: 403, json: { message: /: 4 of 3$/ } })
})

t.test('concurrent requests cannot exceed it together', async (t) => {
  const limits = [{ leases: 5 }, { unfinished: 5 }]
  const encoders = { held: { limits: limits[0] }, pending: { limits: limits[1] }, away: {} }
  const gate = await startGate(t, { enforcement: 'enforce', onOutage: 'journal', encoders })
  await counted(gate)
  gate.cluster.statusOfNewPins = 'pinning'
  const atOnce = async (as: string): Promise<Record<number, number>> => {
    const asks = Array.from({ length: 32 }, (_, index) => gate.ask('POST', path(index), { as }))
    const counts: Record<number, number> = {}
    for (const { status } of await Promise.all(asks)) counts[status] = (counts[status] ?? 0) + 1
    return counts
  }
  t.same(await atOnce('held'), { 200: 5, 403: 27 })
  t.same(await atOnce('pending'), { 200: 5, 429: 27 })
  for (const limit of limits) {
    gate.replace({
      enforcement: 'enforce',
      onOutage: 'journal',
      encoders: { away: { limits: limit } },
    })
    gate.cluster.behave({}, { kind: 'reset' })
    const refused = 'leases' in limit ? 403 : 429
    t.same(await atOnce('away'), { 202: 5, [refused]: 27 }, 'also where they wait')
    for (const entry of gate.ledger.queue.entries()) gate.ledger.queue.done(entry)
  }
})

t.test(
  'an expired lease makes room immediately, and takes a place when it is renewed',
  async (t) => {
    const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 2 } })
    await counted(gate)
    for (const index of [1, 2])
      t.equal((await gate.ask('POST', `${path(index)}?expire-in=60s`)).status, 200)
    t.equal((await gate.ask('POST', path(3))).status, 403)
    const now = Date.now.bind(Date)
    t.teardown(() => (Date.now = now))
    Date.now = () => now() + 61_000
    t.equal((await gate.ask('POST', path(3))).status, 200)
    const both = await Promise.all([1, 2].map((index) => gate.ask('POST', path(index))))
    t.same(both.map(({ status }) => status).sort(), [200, 403])
  },
)

t.test('a lower quota removes no lease, and refuses until enough are gone', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 4 } })
  await counted(gate)
  for (const index of [1, 2, 3, 4]) t.equal((await gate.ask('POST', path(index))).status, 200)
  gate.replace({ enforcement: 'enforce', limits: { leases: 2 } })
  t.match(await gate.ask('POST', path(5)), { status: 403, json: { message: /: 4 of 2$/ } })
  t.equal((await gate.ask('POST', path(1))).status, 200, 'renewing is no new lease')
  t.equal(gate.cluster.pins.size, 4)
  for (const index of [1, 2]) await gate.ask('DELETE', path(index))
  t.match(await gate.ask('POST', path(5)), { status: 403, json: { message: /: 2 of 2$/ } })
  await gate.ask('DELETE', path(3))
  t.equal((await gate.ask('POST', path(5))).status, 200)
})

t.test('leases count again if the clock by which they expired is set back', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 1 } })
  await counted(gate)
  t.equal((await gate.ask('POST', `${path(1)}?expire-in=60s`)).status, 200)
  const now = Date.now.bind(Date)
  t.teardown(() => (Date.now = now))
  const leaseId = leaseIdOf('alpha')
  t.same(await gate.ledger.holdings.page(leaseId, undefined, 9), [generatedCid(1)], 'on the disk')
  Date.now = () => now() + 3_600_000
  await gate.ledger.holdings.countNow()
  t.equal(gate.ledger.holdings.size(leaseId), 0)
  Date.now = now
  await gate.ledger.holdings.countNow()
  t.equal(gate.ledger.holdings.size(leaseId), 1)
  t.equal((await gate.ask('POST', path(2))).status, 403)
})

t.test('a write keeps its place while its outcome is unknown', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 2 } })
  await counted(gate)
  gate.cluster.behave({ method: 'POST', path: path(1) }, { kind: 'lose-answer' }, 1)
  t.equal((await gate.ask('POST', path(1))).status, 502)
  t.equal((await gate.ask('POST', path(2))).status, 200)
  t.equal((await gate.ask('POST', path(3))).status, 403)
  t.equal((await gate.ask('POST', path(1))).status, 200, 'the same once more takes no second one')
  await gate.ask('DELETE', path(1))
  t.equal((await gate.ask('POST', path(3))).status, 200)
})

t.test('an unpin frees the place of a write with an unknown outcome', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 1 } })
  await counted(gate)
  gate.cluster.behave({ method: 'POST', path: path(1) }, { kind: 'lose-answer' }, 1)
  t.equal((await gate.ask('POST', path(1))).status, 502)
  t.equal((await gate.ask('POST', path(2))).status, 403)
  t.equal((await gate.ask('DELETE', path(1))).status, 200)
  t.equal((await gate.ask('POST', path(2))).status, 200)
})

t.test('a pin that the cluster refuses or a client abandons frees its place', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 1, unfinished: 1 } })
  await counted(gate)
  const body = '{"code":500,"message":"not enough peers to allocate CID"}'
  gate.cluster.behave({ method: 'POST' }, { kind: 'status', status: 500, body }, 1)
  t.equal((await gate.ask('POST', path(1))).status, 500)
  const read = gate.cluster.behave(
    { path: `/allocations/${generatedCid(2)}` },
    { kind: 'stall' },
    1,
  )
  const controller = new AbortController()
  const gone = gate.ask('POST', path(2), { signal: controller.signal })
  await gate.cluster.nextRequest()
  controller.abort()
  await t.rejects(gone)
  await gate.line(({ outcome }) => outcome === 'aborted')
  read.release()
  t.equal((await gate.ask('POST', path(3))).status, 200)
})

t.test('observed, it passes and is noted; off, it is not even counted', async (t) => {
  const limits = { leases: 1 }
  const gate = await startGate(t, {
    enforcement: 'observe',
    limits,
    encoders: { beta: { enforcement: 'off' } },
  })
  await counted(gate)
  for (const index of [1, 2]) t.equal((await gate.ask('POST', path(index))).status, 200)
  t.match(gate.lines.at(-1), { outcome: 'answered', wouldRefuse: 'too-many-leases' })
  for (const index of [1, 2]) await gate.ask('POST', path(index), { as: 'beta' })
  t.equal(gate.lines.at(-1)?.wouldRefuse, undefined)
})

t.test('unfinished pins have their own limit', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { unfinished: 2 } })
  gate.cluster.statusOfNewPins = 'pinning'
  for (const index of [1, 2]) t.equal((await gate.ask('POST', path(index))).status, 200)
  const refused = await gate.ask('POST', path(3))
  t.match(refused, {
    status: 429,
    json: { message: 'quota exceeded: too many unfinished pins: 2 of 2' },
  })
  t.equal(refused.headers.get('retry-after'), '10')
  t.notOk(askedOf(gate.cluster).includes(`POST ${path(3)}`))
  const asked = askedOf(gate.cluster).filter((request) => request.includes('filter='))
  t.equal(asked.length, 1, 'asked once within a second')
})

t.test('finished pins do not count, and a silent cluster delays no encoder', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { unfinished: 1 } })
  gate.cluster.behave({ path: /filter=/ }, { kind: 'reset' }, 1)
  t.equal((await gate.ask('POST', path(1))).status, 200)
  const now = performance.now.bind(performance)
  t.teardown(() => (performance.now = now))
  performance.now = () => now() + 5000
  t.equal((await gate.ask('POST', path(2))).status, 200)
})
