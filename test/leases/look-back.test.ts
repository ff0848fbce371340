/** What a cluster that was killed has forgotten of this gate's writes is written again. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { ClusterFault, type FaultReason } from '../../src/cluster/faults.js'
import { HealthProbe } from '../../src/cluster/health-probe.js'
import { LookBack } from '../../src/leases/look-back.js'
import type { OpenPin, Wanted } from '../../src/leases/open-pin.js'
import { type PinRecord, readPinRecord } from '../../src/leases/pin-record.js'
import { RecentWrites } from '../../src/leases/recent.js'
import { askedOf } from '../support/asked.js'
import { clock } from '../support/clock.js'
import { type FakeCluster, generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { startGate } from '../support/start-gate.js'

const [first, second, third, fourth] = [0, 1, 2, 3].map(generatedCid) as [
  string,
  string,
  string,
  string,
]

const looked = 'what was written last was looked at: the cluster or this gate had ended'

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

t.test('pins and unpins that a killed cluster forgot are made again as they were', async (t) => {
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
  t.match(await gate.told(looked), { level: 'info', looked: 4, forgotten: 3 })
  t.same(
    [third, fourth].map((cid) => ({ ...pins.get(cid), timestamp: '' })),
    before,
  )
  t.equal(pins.has(second), false)
  t.equal(changesOf(again).length, 3)
  const lines = await gate.logText()
  t.match(lines, /had forgotten a pin that this gate wrote: it is written again/)
  t.match(lines, /had forgotten that a pin was unpinned: it is unpinned again/)
})

t.test('a cluster that forgot nothing is only read', async (t) => {
  const gate = await startGate(t)
  for (const cid of [first, second]) await gate.ask('POST', `/pins/${cid}`)
  await gate.ask('DELETE', `/pins/${first}`)
  const again = await killed(t, gate.cluster, () => undefined)
  t.match(await gate.told(looked), { looked: 2, forgotten: 0 })
  t.same(changesOf(again), [])
  t.equal(again.stateReads, 2)
})

t.test('that an idle cluster was away for a moment is seen by the last check', async (t) => {
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

/** The state of a cluster, a gate's memory of it, and a clock for both. */
function start(t: Test, keptMs = 86_400_000) {
  const time = clock()
  const epochMs = Date.parse('2026-01-01T00:00:00Z')
  const now = () => epochMs + time.now()
  const recent = new RecentWrites(keptMs, now)
  const state = new Map<string, string>()
  const [reads, writes, unseen]: [string[], string[], string[]] = [[], [], []]
  const faults: FaultReason[] = []
  const write = (cid: string, expiresMs = NaN) => {
    const text = JSON.stringify({
      ...{ cid, type: 'pin', name: '', mode: 'recursive', origins: null, metadata: null },
      ...{ replication_factor_min: -1, replication_factor_max: -1, shard_size: 0 },
      expire_at: Number.isNaN(expiresMs)
        ? '0001-01-01T00:00:00Z'
        : new Date(expiresMs).toISOString(),
      timestamp: new Date(now()).toISOString(),
    })
    state.set(cid, text)
    recent.wrote(cid, text)
  }
  const lookBack = new LookBack({
    recent,
    change: async (cid: string, change: (pin: OpenPin) => Promise<Wanted> | Wanted) => {
      const fault = faults.shift()
      if (fault !== undefined) throw new ClusterFault(fault)
      reads.push(cid)
      const text = state.get(cid)
      const read = text === undefined ? undefined : readPinRecord(text)
      const wanted = await change({ read } as OpenPin)
      if (wanted === undefined) return
      writes.push(cid)
      if (wanted === 'unpin') state.delete(cid)
      else write(cid)
    },
    onForgotten: () => undefined,
    onUnseen: (cid) => unseen.push(cid),
    onLooked: () => undefined,
    later: time.setTimer,
    now,
  })
  t.teardown(() => {
    lookBack.close()
  })
  const remove = (cid: string) => {
    recent.removed(cid, recordIn(state, cid)?.writtenMs ?? -Infinity)
    state.delete(cid)
  }
  return { time, now, recent, state, reads, writes, unseen, faults, write, remove, lookBack }
}

const recordIn = (state: ReadonlyMap<string, string>, cid: string): PinRecord | undefined => {
  const text = state.get(cid)
  return text === undefined ? undefined : readPinRecord(text)
}

t.test('what is older than something that is there is not looked at', async (t) => {
  const { time, state, reads, writes, write, lookBack } = start(t)
  for (const cid of ['a', 'b', 'c']) {
    write(cid)
    await time.turn(10_000)
  }
  for (const cid of ['a', 'c']) state.delete(cid)
  lookBack.soon()
  await time.turn(1000)
  t.same(reads, ['c', 'b'])
  t.same(writes, ['c'], 'another hand has removed the oldest')
})

t.test('what was written after it came back proves nothing', async (t) => {
  const { time, state, writes, write, lookBack } = start(t)
  write('a')
  await time.turn(10_000)
  state.clear()
  lookBack.soon()
  write('b')
  await time.turn(100)
  lookBack.soon()
  await time.turn(900)
  t.same(writes, ['a'])
})

t.test('while the cluster is away it is asked again every five seconds', async (t) => {
  const { time, state, writes, faults, write, lookBack } = start(t)
  write('a')
  await time.turn(10_000)
  state.clear()
  faults.push('cluster-unreachable', 'cluster-down', 'cluster-down')
  lookBack.soon()
  await time.turn(15_999)
  t.same(writes, [])
  await time.turn(1)
  t.same(writes, ['a'])
  t.same(faults, [])
})

t.test('a pin that it does not answer for holds up no other', async (t) => {
  const { time, state, writes, unseen, faults, write, lookBack } = start(t)
  for (const cid of ['a', 'b']) write(cid)
  state.clear()
  faults.push('cluster-bad-answer')
  lookBack.soon()
  await time.turn(1000)
  t.same(unseen, ['b'])
  t.same(writes, ['a'])
})

t.test('nothing is written again that ran out, or whose last change is unknown', async (t) => {
  const { time, now, recent, state, reads, writes, write, lookBack } = start(t)
  write('expired', now() + 5000)
  write('unsure')
  recent.lost('unsure')
  await time.turn(10_000)
  state.clear()
  lookBack.soon()
  await time.turn(1000)
  t.same(reads, ['unsure', 'expired'])
  t.same(writes, [])
})

t.test('a pin that somebody made anew after it was unpinned here stays', async (t) => {
  const { time, state, writes, write, remove, recent, lookBack } = start(t)
  write('a')
  const old = state.get('a') ?? ''
  await time.turn(2000)
  remove('a')
  write('b')
  state.set('a', (state.get('b') ?? '').replace('"b"', '"a"'))
  lookBack.soon()
  await time.turn(1000)
  t.same(writes, [])
  state.set('a', old)
  t.equal(recent.forgotten('a', readPinRecord(old)), 'unpin')
})

t.test('what was written to another cluster is none of this one', async (t) => {
  const { time, state, writes, write, lookBack } = start(t)
  write('a')
  await time.turn(1)
  lookBack.startAnew()
  write('b')
  state.clear()
  lookBack.soon()
  await time.turn(1000)
  t.same(writes, ['b'])
})

t.test('the last thousand are remembered for a day', async (t) => {
  const { time, recent, write } = start(t)
  for (let index = 0; index < 12_000; index++) {
    if (index === 11_999) await time.turn(300_000)
    write(String(index))
  }
  t.equal(recent.newestFirst().length, 1000)
  t.same(recent.newestFirst()[0]?.cid, '11999')
  await time.turn(86_399_999)
  t.equal(recent.newestFirst().length, 1)
  await time.turn(1)
  t.equal(recent.newestFirst().length, 0)
})

t.test('a gate that shares its turns with others answers for its writes for as long', async (t) => {
  const { time, recent, write } = start(t, 300_000)
  write('a')
  await time.turn(299_999)
  t.equal(recent.newestFirst().length, 1)
  await time.turn(1)
  t.same(recent.newestFirst(), [])
})
