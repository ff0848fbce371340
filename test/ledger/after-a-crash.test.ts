/** What a cluster that was killed has forgotten of this gate's writes is written again. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { HealthProbe } from '../../src/cluster/health-probe.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { askedOf } from '../support/asked.js'
import { startDaemon } from '../support/daemon.js'
import { type FakeCluster, generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { limitFiles } from '../support/full-disk.js'
import { startGate } from '../support/start-gate.js'

const cids = Array.from({ length: 4 }, (_, index) => generatedCid(index))
const [first = '', second = '', third = '', fourth = ''] = cids

const verified = 'verified recent writes'

const changesOf = (cluster: FakeCluster): string[] =>
  askedOf(cluster).filter((line) => /^(POST|DELETE)/.test(line))

/** Ends it as by kill -9, and starts it again with what was on its disk. */
async function killed(t: Test, cluster: FakeCluster, forget: () => void): Promise<FakeCluster> {
  await cluster.close()
  forget()
  const port = Number(new URL(cluster.url).port)
  const again = await startFakeCluster({ port, pins: cluster.pins })
  t.teardown(() => again.close())
  return again
}

t.test('pins and unpins that a killed cluster forgot are repeated as they were', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', encoders: { beta: {} } })
  const { pins } = gate.cluster
  t.equal((await gate.ask('POST', `/pins/${first}?name=kept`)).status, 200)
  t.equal((await gate.ask('POST', `/pins/${second}`)).status, 200)
  const forget = pins.mark()
  t.equal((await gate.ask('POST', `/pins/${third}?name=shared&meta-a=b`)).status, 200)
  t.equal((await gate.ask('POST', `/pins/${third}`, { as: 'beta' })).status, 200)
  t.equal((await gate.ask('POST', `/pins/${fourth}?expire-in=48h`)).status, 200)
  t.equal((await gate.ask('DELETE', `/pins/${second}`)).status, 200)
  const before = [third, fourth].map((cid) => ({ ...pins.get(cid), timestamp: '' }))

  const again = await killed(t, gate.cluster, forget)
  t.same(
    [third, fourth, second].map((cid) => pins.has(cid)),
    [false, false, true],
  )
  t.match(await gate.logged(verified), { level: 'info', looked: 4, repaired: 3 })
  t.same(
    [third, fourth].map((cid) => ({ ...pins.get(cid), timestamp: '' })),
    before,
    'leases, tokens and all',
  )
  t.equal(pins.has(second), false)
  t.equal(changesOf(again).length, 3)
  t.match(await gate.ledgerReport(), { repairs: { missing: 2, unexpected: 1 } })
})

t.test('two holders from the same second both survive a crash', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', encoders: { beta: {} } })
  const { pins } = gate.cluster
  t.equal((await gate.ask('POST', `/pins/${first}`)).status, 200)
  const forget = pins.mark()
  t.equal((await gate.ask('POST', `/pins/${first}`, { as: 'beta' })).status, 200)
  await killed(t, gate.cluster, forget)
  t.equal(pins.get(first)?.metadata?.size, 1)
  t.match(await gate.logged(verified), { repaired: 1 })
  t.equal(pins.get(first)?.metadata?.size, 2)
})

t.test('a cluster that forgot nothing is only read', async (t) => {
  const gate = await startGate(t)
  for (const cid of [first, second]) await gate.ask('POST', `/pins/${cid}`)
  await gate.ask('DELETE', `/pins/${first}`)
  const again = await killed(t, gate.cluster, () => undefined)
  t.match(await gate.logged(verified), { looked: 2, repaired: 0 })
  t.same(changesOf(again), [])
  t.equal(again.stateReads, 2)
})

t.test('an unreadable record does not prevent other repairs', async (t) => {
  const gate = await startGate(t)
  const { pins } = gate.cluster
  t.equal((await gate.ask('POST', `/pins/${first}`)).status, 200)
  const forget = pins.mark()
  t.equal((await gate.ask('POST', `/pins/${second}`)).status, 200)
  const again = await killed(t, gate.cluster, forget)
  again.behave({ path: `/allocations/${first}` }, { kind: 'status', status: 500, body: '{}' })
  t.match(await gate.logged(verified), { repaired: 1 })
  t.equal(pins.has(second), true)
  t.match(await gate.ledgerReport(), { doubts: 1 }, 'that one stays in doubt')
})

t.test('a restored backup is reported, and none of its pins is unpinned', async (t) => {
  const gate = await startGate(t)
  const { pins } = gate.cluster
  const many = Array.from({ length: 60 }, (_, index) => generatedCid(100 + index))
  for (const cid of many) t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200)
  const restore = pins.mark()
  for (const cid of many) t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200)
  const again = await killed(t, gate.cluster, restore)
  const changed = 'found pins that were changed outside the gate; an operator has to decide on them'
  t.match(await gate.logged(changed), { level: 'error', missing: 0, unexpected: 60, repaired: 0 })
  t.same(changesOf(again), [])
  t.equal(pins.size, 60)
  t.match(await gate.ledgerReport(), { reported: { unexpected: 60 } })
})

t.test('a short outage of an idle cluster is noticed by the last check', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const hungUp = new EventTarget()
  const probe = new HealthProbe(
    { origin: cluster.url, connect: {}, authorization: undefined },
    5000,
    () => hungUp.dispatchEvent(new Event('seen')),
  )
  t.teardown(() => probe.close())
  for (let index = 0; index < 2; index++) t.equal(await probe.ask(), true)
  t.equal(cluster.openConnections, 1, 'it is kept')
  const seen = once(hungUp, 'seen')
  const again = await killed(t, cluster, () => undefined)
  await seen
  t.equal(await probe.ask(), true)
  t.equal(again.openConnections, 1)
})

const key = generateKey()

const configOf = (cluster: FakeCluster, directory: string) => ({
  listen: { port: 0 },
  cluster: { endpoints: [{ url: cluster.url }] },
  ledger: { directory },
  encoders: { alpha: { keys: [{ id: 'k', sha256: digestOf(key) }] } },
})

const ask = async (url: string, method: string, cid: string): Promise<number> => {
  const headers = { authorization: `Bearer ${key}` }
  return (await fetch(`${url}/pins/${cid}`, { method, headers })).status
}

/** Not the test's own, which is created for each daemon. */
function directoryFor(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-ledger-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  return directory
}

for (const [signal, title] of [
  ['SIGKILL', 'after a power cut'],
  ['SIGTERM', 'after an orderly stop, as at every reboot,'],
] as const)
  t.test(`${title} what the cluster had forgotten is written again`, async (t) => {
    const directory = directoryFor(t)
    const cluster = await startFakeCluster()
    t.teardown(() => cluster.close())
    const { daemon, url } = await startDaemon(t, configOf(cluster, directory))
    for (const cid of [first, second]) t.equal(await ask(url, 'POST', cid), 200)
    const forget = cluster.pins.mark()
    for (const cid of [third, fourth]) t.equal(await ask(url, 'POST', cid), 200)
    // It waits for the disk, and with it what was written before.
    t.equal(await ask(url, 'DELETE', second), 200)
    const before = cluster.pins.get(fourth)?.metadata
    daemon.process.kill(signal)
    await daemon.exited
    forget()
    t.same(
      [second, third, fourth].map((cid) => cluster.pins.has(cid)),
      [true, false, false],
    )

    const again = await startDaemon(t, configOf(cluster, directory))
    t.match(await again.daemon.logged(verified), { repaired: 3 })
    t.same(
      [first, second, third, fourth].map((cid) => cluster.pins.has(cid)),
      [true, false, true, true],
    )
    t.same(cluster.pins.get(fourth)?.metadata, before, 'leases and all')
  })

t.test("a second daemon does not start on another's ledger", async (t) => {
  const directory = directoryFor(t)
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  await startDaemon(t, configOf(cluster, directory))
  await t.rejects(startDaemon(t, configOf(cluster, directory)), {
    message: new RegExp(`another daemon uses the ledger in ${directory}`),
  })
})

t.test('a full disk: a renewal near its end is 503, an unpin too, and is not tried', async (t) => {
  const gate = await startGate(t, { stateDirectory: t.testdir({}) })
  t.equal((await gate.ask('POST', `/pins/${first}?expire-in=40s`)).status, 200)
  t.equal((await gate.ask('POST', `/pins/${second}`)).status, 200)
  await gate.ask('DELETE', `/pins/${third}`)
  limitFiles(4096)
  t.teardown(() => {
    limitFiles('unlimited')
  })
  const renewed = await gate.ask('POST', `/pins/${first}?expire-in=50s`)
  t.equal(renewed.status, 503, 'a sweep may still undo it, and only the disk would tell')
  t.match(await gate.line(({ status }) => status === 503), { reason: 'ledger-unavailable' })
  t.equal((await gate.ask('DELETE', `/pins/${second}`)).status, 503)
  t.notOk(changesOf(gate.cluster).includes(`DELETE /pins/${second}`))
  t.ok(gate.cluster.pins.has(second))
})
