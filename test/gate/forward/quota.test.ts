/** Quotas: what an encoder may hold, and how much of it may be unfinished at a time. */
import t from 'tap'
import { askedOf } from '../../support/asked.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const path = (index: number) => `/pins/${generatedCid(index)}`

async function counted(gate: TestGate): Promise<void> {
  do await gate.ask('GET', '/pins?owner=me')
  while (gate.lines.at(-1)?.status === 503)
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
    json: { code: 403, message: 'quota exceeded: 2 of 2 leases' },
  })
  t.notOk(askedOf(gate.cluster).includes(`POST ${path(3)}`))
  t.equal((await gate.ask('POST', path(1), { as })).status, 200, 'renewing is no new lease')
  await gate.ask('DELETE', path(1), { as })
  t.equal((await gate.ask('POST', path(3), { as })).status, 200)
  t.equal((await gate.ask('POST', path(9))).status, 200, 'others have their own')
})

t.test('what an encoder held before the start counts, once it was counted', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 2 } })
  const feed = gate.cluster.behave({ path: '/allocations' }, { kind: 'stall' })
  for (const index of [1, 2, 3]) t.equal((await gate.ask('POST', path(index))).status, 200)
  feed.release()
  await counted(gate)
  t.equal((await gate.ask('POST', path(4))).status, 403)
})

t.test('requests at the same time do not pass it together', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { leases: 3 } })
  await counted(gate)
  const asks = Array.from({ length: 12 }, (_, index) => gate.ask('POST', path(index)))
  const statuses = (await Promise.all(asks)).map(({ status }) => status)
  t.equal(statuses.filter((status) => status === 200).length, 3)
  t.equal(statuses.filter((status) => status === 403).length, 9)
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

t.test('pins that the cluster is still at are bounded by themselves', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { unfinished: 2 } })
  gate.cluster.statusOfNewPins = 'pinning'
  for (const index of [1, 2]) t.equal((await gate.ask('POST', path(index))).status, 200)
  const refused = await gate.ask('POST', path(3))
  t.match(refused, { status: 429, json: { message: 'quota exceeded: 2 of 2 unfinished pins' } })
  t.equal(refused.headers.get('retry-after'), '10')
  t.notOk(askedOf(gate.cluster).includes(`POST ${path(3)}`))
  const asked = askedOf(gate.cluster).filter((request) => request.includes('filter='))
  t.equal(asked.length, 1, 'asked once within a second')
})

t.test('finished pins do not count, and a cluster that does not say holds nobody up', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { unfinished: 1 } })
  gate.cluster.behave({ path: /filter=/ }, { kind: 'reset' }, 1)
  t.equal((await gate.ask('POST', path(1))).status, 200)
  const now = performance.now.bind(performance)
  t.teardown(() => (performance.now = now))
  performance.now = () => now() + 5000
  t.equal((await gate.ask('POST', path(2))).status, 200)
})
