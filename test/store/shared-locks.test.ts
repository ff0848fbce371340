/** Gates that write one cluster: no lease is lost, with the store, without it, and between. */
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { SharedLocks } from '../../src/store/shared-locks.js'
import { Store } from '../../src/store/store.js'
import { StoreFault } from '../../src/store/store-fault.js'
import { generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { noRedis as skip, TestRedis } from '../support/redis.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const cid = generatedCid(7)
const repaired = 'the cluster lacked leases that this gate wrote; pinned again'
const away = 'the store went down; limits and locks are of this gate alone until it is back'

async function startGates(t: Test, count: number, timeoutMs = 2000) {
  const redis = await TestRedis.start(t)
  const settings = {
    enforcement: 'enforce',
    store: { redis: redis.url, timeoutMs },
    encoders: {
      ...Object.fromEntries(Array.from({ length: 24 }, (_, n) => [`e${n}`, {}])),
      boss: { role: 'operator' },
    },
  } as const
  const first = await startGate(t, settings)
  const gates = [first]
  while (gates.length < count)
    gates.push(await startGate(t, { ...settings, clusterUrl: first.cluster.url }))
  const pick = (index: number): TestGate => gates[index % count] ?? first
  return { redis, gates, pick, cluster: first.cluster }
}

/** Encoders that hold the pin, by their names. */
function holders(cluster: TestGate['cluster'], names: readonly string[]): string[] {
  const metadata = cluster.pins.get(cid)?.metadata
  return names.filter((name) => metadata?.has(`pinwarden.lease.${leaseIdOf(name)}`) === true)
}

/** The pin of an encoder that has come to the cluster, and is pinned only when it is released. */
async function heldUp({ cluster, pick }: Pick<Gates, 'cluster' | 'pick'>, as: string) {
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  cluster.reset()
  const path = new RegExp(`lease\\.${leaseIdOf(as)}`)
  cluster.behave({ method: 'POST', path }, { kind: 'hold', until })
  const slow = pick(0).ask('POST', `/pins/${cid}`, { as })
  while (!cluster.requests.some(({ method }) => method === 'POST')) await cluster.nextRequest()
  return { slow, release }
}

type Gates = Awaited<ReturnType<typeof startGates>>

/** Of two gates that share a store. */
async function twoLocks(t: Test, redis: TestRedis): Promise<[SharedLocks, SharedLocks]> {
  const shared = { redis: redis.url, namespace: 'pinwarden', timeoutMs: 2000 } as const
  const settings = { ...shared, failMode: 'open' } as const
  const open = async (gateId: string): Promise<SharedLocks> => {
    const store = await Store.open({ settings, secrets: {}, log: () => undefined })
    t.teardown(() => {
      store.close()
    })
    await store.claim(['12D3KooWPeer'])
    return new SharedLocks({ store, gateId })
  }
  return [await open('aaaaaaaa'), await open('bbbbbbbb')]
}

// They wait for gates and stores of their own.
t.jobs = 4

t.test(
  'encoders that pin the same CID at four gates at the same time all hold it',
  { skip },
  async (t) => {
    const { pick, cluster } = await startGates(t, 4)
    const names = Array.from({ length: 24 }, (_, n) => `e${n}`)
    const answers = await Promise.all(
      names.map((as, index) => pick(index).ask('POST', `/pins/${cid}`, { as })),
    )
    t.same([...new Set(answers.map(({ status }) => status))], [200])
    t.same(holders(cluster, names), names)

    // Each unpins at another gate than it pinned at.
    const gone = names.slice(0, 12)
    const left = await Promise.all(
      gone.map((as, index) => pick(index + 1).ask('DELETE', `/pins/${cid}`, { as })),
    )
    t.same([...new Set(left.map(({ status }) => status))], [200])
    t.same(holders(cluster, names), names.slice(12))
  },
)

t.test('a gate knows what another one has just written, within a second', { skip }, async (t) => {
  const { pick, cluster } = await startGates(t, 2)
  for (let turn = 0; turn < 10; turn++) {
    const as = `e${turn % 3}`
    t.equal((await pick(turn).ask('POST', `/pins/${cid}`, { as })).status, 200)
    t.ok(holders(cluster, [as]).length === 1)
    t.equal((await pick(turn + 1).ask('DELETE', `/pins/${cid}`, { as })).status, 200)
    t.notOk(cluster.pins.has(cid))
    t.equal((await pick(turn).ask('DELETE', `/pins/${cid}`, { as })).status, 404)
  }
})

t.test('a pin by path at one gate leaves what another one wrote', { skip }, async (t) => {
  const { pick, cluster } = await startGates(t, 2)
  const byPath = `/pins/ipfs/${cid}/x`
  const first = await pick(0).ask('POST', byPath, { as: 'boss' })
  const { cid: target } = first.json as { cid: string }
  await pick(0).ask('DELETE', byPath, { as: 'boss' })
  const metadata = () => cluster.pins.get(target)?.metadata
  t.equal((await pick(1).ask('POST', `/pins/${target}`, { as: 'e1' })).status, 200)
  t.equal((await pick(0).ask('DELETE', `/pins/${target}`, { as: 'e1' })).status, 200)
  t.equal((await pick(1).ask('POST', `/pins/${target}`, { as: 'e1' })).status, 200)
  t.equal((await pick(0).ask('POST', byPath, { as: 'boss' })).status, 200)
  const lease = `pinwarden.lease.${leaseIdOf('e1')}`
  while (metadata()?.has(lease) !== true) await cluster.nextRequest()
})

t.test('a lock that is lost in the middle of a pin loses no lease', { skip }, async (t) => {
  const { redis, pick, cluster } = await startGates(t, 2)
  await pick(0).ask('POST', `/pins/${cid}`, { as: 'e0' })
  const { slow, release } = await heldUp({ cluster, pick }, 'e1')
  const client = new Redis(redis.url)
  t.equal(await client.del(`pinwarden:{${cid}}:turn`), 1, 'the first gate had it')
  await client.quit()
  t.equal((await pick(1).ask('POST', `/pins/${cid}`, { as: 'e2' })).status, 200)
  t.same(holders(cluster, ['e0', 'e1', 'e2']), ['e0', 'e2'])
  release()
  t.equal((await slow).status, 200)
  // The one whose lease was overwritten hears of it.
  await pick(1).logged(repaired)
  while (holders(cluster, ['e0', 'e1', 'e2']).length < 3) await cluster.nextRequest()
  t.same(holders(cluster, ['e0', 'e1', 'e2']), ['e0', 'e1', 'e2'])
})

t.test(
  'a namespace belongs to one cluster, and a gate of another is refused',
  { skip },
  async (t) => {
    const { redis, cluster, pick } = await startGates(t, 1)
    const body = JSON.stringify({ id: '12D3KooWAnotherCluster', cluster_peers: [] })
    const other = await startFakeCluster()
    t.teardown(() => other.close())
    other.behave({ method: 'GET', path: /^\/id$/ }, { kind: 'status', status: 200, body })
    const settings = { store: { redis: redis.url }, clusterUrl: other.url } as const
    await t.rejects(startGate(t, settings), { message: /store\.namespace.*another cluster/s })
    const own = { ...settings, store: { redis: redis.url, namespace: 'another' } }
    t.equal((await (await startGate(t, own)).ask('POST', `/pins/${cid}`)).status, 200)
    t.notOk(cluster.pins.has(cid))
    t.equal((await pick(0).ask('POST', `/pins/${cid}`, { as: 'e0' })).status, 200)
  },
)

t.test('a gate notices that the store lost a row of its last changes', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const settings = { redis: redis.url, namespace: 'pinwarden', timeoutMs: 2000 } as const
  const store = await Store.open({
    settings: { ...settings, failMode: 'open' },
    ...{ secrets: {}, log: () => undefined },
  })
  const client = new Redis(redis.url)
  t.teardown(() => {
    store.close()
    client.disconnect()
  })
  await store.claim(['12D3KooWPeer'])
  let take: ((check: () => void) => void) | undefined
  const nextCheck = () => new Promise<() => void>((resolve) => (take = resolve))
  const locks = new SharedLocks({
    ...{ store, gateId: 'aaaaaaaa' },
    setTimer: (_ms, call) => {
      take?.(call)
      return () => undefined
    },
  })
  const losses: (string | undefined)[] = []
  locks.whenLost((cid) => losses.push(cid))
  const first = nextCheck()
  for (const cid of ['a', 'b']) {
    const lock = await locks.acquire(cid, 1000, 'gate1111.1')
    await lock.release(`{"token":"${cid}"}`, true, `"${cid}"`)
  }
  let check = await first
  const checked = async (): Promise<void> => {
    const next = nextCheck()
    check()
    check = await next
  }
  await checked()
  t.same(losses, [])
  // Another gate had not heard of the change, and made its own.
  await client.set('pinwarden:{a}:row', '{"token":"c"}')
  await checked()
  t.same(losses, ['a'])
  await client.del('pinwarden:{b}:row')
  await checked()
  t.same(losses, ['a', undefined])
})

t.test('a gate sees which changes of others may still land', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const [one, other] = await twoLocks(t, redis)
  const lost = await one.acquire('a', 1000, 'aaaaaaaa.5')
  t.same(lost.open, [])
  await lost.release(undefined, false)
  const next = await other.acquire('a', 1000, 'bbbbbbbb.1')
  t.same(next.open, ['aaaaaaaa.5'], 'its outcome is not known')
  t.equal(await next.release(undefined, true), 'crowded')
  const own = await one.acquire('a', 1000, 'aaaaaaaa.8')
  t.same(own.open, [], 'but not its own')
  await own.release(undefined, true)
  const later = await other.acquire('a', 1000, 'bbbbbbbb.2')
  t.same(later.open, ['aaaaaaaa.5'])
  await later.release(undefined, true)

  for (const number of [9, 12, 11])
    await (await one.acquire('a', 1000, `aaaaaaaa.${number}`)).release(undefined, false)
  const last = await other.acquire('a', 1000, 'bbbbbbbb.3')
  t.same(last.open, ['aaaaaaaa.12'], 'of many changes the last')
  await last.release(undefined, true)
  const client = new Redis(redis.url)
  t.teardown(() => client.quit())
  await client.hset(
    'pinwarden:{a}:open',
    'aaaaaaaa',
    `aaaaaaaa.12/${Math.floor(Date.now() / 1000) - 2}`,
  )
  t.same((await other.acquire('a', 1000, 'bbbbbbbb.4')).open, [], 'for as long as it may land')
})

t.test('repairs of all gates together unpin no more than one gate may', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const [one, other] = await twoLocks(t, redis)
  const budget = { name: 'crash', max: 5, withinMs: 60_000 }
  t.equal(await one.spend(budget, ['a', 'b', 'c']), true)
  t.equal(await other.spend(budget, ['d', 'e', 'f']), false, 'all of them or none')
  t.equal(await other.spend(budget, ['c', 'd', 'e']), true, 'one CID is counted once')
  t.equal(await one.spend(budget, ['a', 'e']), true, 'the same again, after an answer was lost')
  t.equal(await one.spend(budget, ['f']), false)
  t.equal(await one.spend({ ...budget, name: 'late' }, ['f']), true, 'another budget')

  const client = new Redis(redis.url)
  const key = 'pinwarden:{gates}:unpinned:crash'
  const leftMs = await client.pttl(key)
  t.ok(leftMs > 0 && leftMs <= 60_000, 'it ends by itself')
  await client.pexpire(key, 1000)
  await one.spend(budget, ['a'])
  t.ok((await client.pttl(key)) <= 1000, 'and no sooner or later for what comes after the first')
  await client.quit()
  await redis.kill()
  await t.rejects(async () => one.spend(budget, ['a']), StoreFault, 'unknown is no leave to unpin')
})

t.test('a late attempt to take a lock locks out no gate', { skip }, async (t) => {
  const { redis, pick, cluster } = await startGates(t, 2, 50)
  redis.pause()
  t.equal((await pick(0).ask('POST', `/pins/${cid}`, { as: 'e0' })).status, 200, 'it goes on alone')
  redis.resume()
  const startMs = performance.now()
  t.equal((await pick(1).ask('POST', `/pins/${cid}`, { as: 'e1' })).status, 200)
  t.ok(performance.now() - startMs < 10_000, 'the token ends the lock that no gate knows of')
  t.same(holders(cluster, ['e0', 'e1']), ['e0', 'e1'])
})

t.test('without the store, gates that overwrite each other repair it', { skip }, async (t) => {
  const { redis, gates, pick, cluster } = await startGates(t, 2)
  await redis.kill()
  for (const gate of gates) await gate.logged(away)
  const { slow, release } = await heldUp({ cluster, pick }, 'e1')
  t.equal((await pick(1).ask('POST', `/pins/${cid}`, { as: 'e2' })).status, 200)
  release()
  t.equal((await slow).status, 200)
  // Until it has heard the other one, a gate does not know what that one released.
  await redis.comeBack()
  await pick(1).logged(repaired)
  while (holders(cluster, ['e1', 'e2']).length < 2) await cluster.nextRequest()
  t.same(holders(cluster, ['e1', 'e2']), ['e1', 'e2'])
})

t.test('a lock of a gate that is gone ends by itself, and blocks no other', { skip }, async (t) => {
  const { redis, pick, cluster } = await startGates(t, 1)
  const client = new Redis(redis.url)
  await client.set(`pinwarden:{${cid}}:turn`, 'another gate', 'PX', 300)
  const other = generatedCid(8)
  t.equal((await pick(0).ask('POST', `/pins/${other}`)).status, 200)
  t.notOk(cluster.pins.has(cid))
  t.equal((await pick(0).ask('POST', `/pins/${cid}`)).status, 200)
  t.equal(await client.exists(`pinwarden:{${cid}}:turn`), 0)
  await client.quit()
})
