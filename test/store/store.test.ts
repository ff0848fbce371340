/** Gates that share their limits through a real redis-server, and what they do without it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { SharedLocks } from '../../src/store/shared-locks.js'
import { SharedMail } from '../../src/store/shared-mail.js'
import { Store } from '../../src/store/store.js'
import { certificate, otherCertificate } from '../support/certificate.js'
import { freePort } from '../support/free-port.js'
import { RawClient } from '../support/raw.js'
import { noRedis as skip, TestRedis } from '../support/redis.js'
import { type Overrides, startGate, type TestGate } from '../support/start-gate.js'

const onCluster = (gate: TestGate) => ({ clusterUrl: gate.cluster.url })

/** Gates of one cluster and one store. */
async function startGates(t: Test, count: number, redis: TestRedis, overrides: Overrides = {}) {
  // The gates, their clients and the cluster are one process here.
  const store = { redis: redis.url, timeoutMs: 2000, ...overrides.store }
  const settings = { ...overrides, store }
  const first = await startGate(t, settings)
  const others = Array.from({ length: count - 1 }, () =>
    startGate(t, { ...settings, ...onCluster(first) }),
  )
  return [first, ...(await Promise.all(others))]
}

const pick = (gates: readonly TestGate[], index: number): TestGate => {
  const gate = gates[index % gates.length]
  if (gate === undefined) throw new Error('no gate')
  return gate
}

const statuses = async (gates: readonly TestGate[], count: number, path = '/id') => {
  const asked = Array.from({ length: count }, (_, index) => pick(gates, index).ask('GET', path))
  const counted: Record<string, number> = {}
  for (const answer of await Promise.all(asked)) {
    const status = String(answer.status)
    counted[status] = (counted[status] ?? 0) + 1
  }
  return counted
}

const away = 'the store went down; limits and locks are of this gate alone until it is back'
const back = 'the store came back; limits and locks are shared'

// They wait for gates and stores of their own.
t.jobs = 4

t.test('four gates give an encoder one budget, exact to the request', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const limits = { reads: { max: 60, windowSeconds: 3600 } }
  const gates = await startGates(t, 4, redis, { limits })
  const [first] = gates
  // Each gate asks once whose the namespace is.
  const asked = () => first?.cluster.requests.filter(({ target }) => target === '/id').length ?? 0
  const before = asked()
  t.same(await statuses(gates, 100), { 200: 60, 429: 40 })
  t.equal(asked() - before, 60)
  const answer = await first?.ask('GET', '/id')
  t.equal(answer?.headers.get('ratelimit-policy'), '"reads";q=60;w=3600')
  t.match(answer?.headers.get('ratelimit'), /^"reads";r=0;t=(3600|35\d\d)$/)
})

t.test('budgets of one encoder, and of two encoders, are separate', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const one = { max: 1, windowSeconds: 3600 }
  const limits = { reads: one, writes: one, listings: one }
  const [gate, other] = await startGates(t, 2, redis, { limits, encoders: { beta: {} } })
  t.equal((await gate?.ask('GET', '/id'))?.status, 200)
  t.equal((await gate?.ask('GET', '/pins?filter=queued'))?.status, 429, 'a read as well')
  t.equal((await other?.ask('GET', '/id', { as: 'beta' }))?.status, 200)
  t.equal((await other?.ask('POST', '/pins/recover'))?.status, 403, 'another budget')
})

t.test('failed attempts are counted for all gates together', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const limits = { failures: { max: 6, windowSeconds: 3600 } }
  const gates = await startGates(t, 2, redis, { limits })
  const asked = Array.from({ length: 10 }, (_, index) =>
    pick(gates, index).ask('GET', '/id', {
      headers: { authorization: 'Bearer x' },
    }),
  )
  const refused = (await Promise.all(asked)).map((answer) => answer.status)
  t.equal(refused.filter((status) => status === 401).length, 6)
  t.equal(refused.filter((status) => status === 429).length, 4)
  t.equal((await gates[0]?.ask('GET', '/id'))?.status, 200, 'a good key always passes')
})

t.test('without its store a gate continues alone, and then shares again', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const limits = { reads: { max: 10, windowSeconds: 3600 } }
  const gates = await startGates(t, 2, redis, { limits })
  t.same(await statuses(gates, 12), { 200: 10, 429: 2 })
  await redis.kill()
  for (const gate of gates) t.match(await gate.logged(away), { level: 'warn' })
  t.same(await statuses(gates, 30), { 200: 20, 429: 10 }, 'each gate has a budget of its own')
  await redis.comeBack()
  for (const gate of gates) t.match(await gate.logged(back), { level: 'info' })
  t.same(await statuses(gates, 12), { 200: 10, 429: 2 }, 'and now one budget again')
  for (const gate of gates) t.equal((await gate.logText()).split(away).length, 2, 'told once')
})

t.test('a store that hangs delays no request', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const gates = await startGates(t, 2, redis, { store: { timeoutMs: 50 } })
  redis.pause()
  const startMs = performance.now()
  t.same(await statuses(gates, 100), { 200: 100 })
  t.ok(performance.now() - startMs < 5000, 'far from any time-out of the client')
  for (const gate of gates) await gate.logged(away)
  redis.resume()
  for (const gate of gates) await gate.logged(back)
  t.same(await statuses(gates, 10), { 200: 10 })
})

t.test('a client that leaves while the store hangs gives back its place', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const settings = { store: { timeoutMs: 1000 }, limits: { inFlight: 1 } }
  const [gate] = await startGates(t, 1, redis, settings)
  if (gate === undefined) throw new Error('no gate')
  t.equal((await gate.ask('GET', '/id')).status, 200)
  redis.pause()
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1')).socket.end()
  await gate.line(({ reason }) => reason === 'client-left')
  redis.resume()
  t.equal((await gate.ask('GET', '/id')).status, 200)
})

t.test('a gate starts without its store, and shares once it is there', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  await redis.kill()
  const limits = { reads: { max: 3, windowSeconds: 3600 } }
  const gates = await startGates(t, 2, redis, { limits })
  t.same(await statuses(gates, 8), { 200: 6, 429: 2 })
  await redis.comeBack()
  for (const gate of gates) await gate.logged(back)
  t.same(await statuses(gates, 8), { 200: 3, 429: 5 })
})

t.test('a gate starts, and ends, with a store that hangs', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  redis.pause()
  const [gate] = await startGates(t, 1, redis)
  t.equal((await gate?.ask('GET', '/id'))?.status, 200)
  await gate?.logged(away)
  await gate?.close()
})

t.test(
  'with failMode closed a gate refuses what it cannot count, and nothing is sent',
  { skip },
  async (t) => {
    const redis = await TestRedis.start(t)
    const listen = { healthPath: '/balancer' }
    const [gate] = await startGates(t, 1, redis, { listen, store: { failMode: 'closed' } })
    if (gate === undefined) throw new Error('no gate')
    const health = async () => (await fetch(`${gate.url}/balancer`)).status
    t.equal((await gate.ask('GET', '/id')).status, 200)
    t.same([gate.obstacles(), await health()], [[], 200])
    await redis.kill()
    await gate.logged('the store went down; requests are refused until it is back')
    gate.cluster.reset()
    const answer = await gate.ask('GET', '/id')
    t.equal(answer.status, 503)
    t.equal(answer.headers.get('retry-after'), '5')
    t.same(answer.json, { code: 503, message: 'rate limiting is unavailable' })
    t.match(await gate.line(({ status }) => status === 503), {
      outcome: 'refused',
      reason: 'store-unavailable',
    })
    const bad = await gate.ask('GET', '/id', { headers: { authorization: 'Bearer x' } })
    t.equal(bad.status, 503, 'also what it cannot throttle')
    t.same(gate.cluster.requests, [])
    t.same([gate.obstacles(), await health()], [['store'], 503], 'it is not ready')
    t.match(gate.storeReport(), { isRefusing: true, problem: 'silence' })
    await redis.comeBack()
    await gate.logged(back)
    t.equal((await gate.ask('GET', '/id')).status, 200)
  },
)

t.test('a store that answers with errors is not said to be silent', { skip }, async (t) => {
  const redis = await TestRedis.start(t, ['--min-replicas-to-write', '1'])
  const [gate] = await startGates(t, 1, redis)
  t.match(await gate?.logged(away), { reason: 'NOREPLICAS' })
  t.match(gate?.storeReport(), { isRefusing: false, problem: 'errors', fault: 'NOREPLICAS' })
  t.equal((await gate?.ask('GET', '/id'))?.status, 200)
})

t.test('only a store with a password gets the password', { skip }, async (t) => {
  const redis = await TestRedis.start(t, ['--requirepass', 'open-sesame-4711'])
  const files = { right: 'open-sesame-4711\n', wrong: 'open-sesame-0815\n' }
  const limits = { reads: { max: 1, windowSeconds: 3600 } }
  const [gate, other] = await startGates(t, 2, redis, {
    ...{ limits, files },
    store: { passwordFile: 'right' },
  })
  if (gate === undefined || other === undefined) throw new Error('no gates')
  t.same(await statuses([gate, other], 2), { 200: 1, 429: 1 })
  const [locked] = await startGates(t, 1, redis, {
    files,
    store: { passwordFile: 'wrong' },
  })
  t.match(await locked?.logged(away), { reason: /^(WRONGPASS|NOAUTH)$/ })
  t.equal((await locked?.ask('GET', '/id'))?.status, 200, 'it goes on alone')
  for (const each of [gate, other, locked])
    t.notOk((await each?.logText())?.includes('open-sesame'), 'and no log')
})

t.test('a new password is used without a restart', { skip }, async (t) => {
  const redis = await TestRedis.start(t, ['--requirepass', 'open-sesame-4711'])
  const store = { redis: redis.url, timeoutMs: 2000, passwordFile: 'secret' }
  const gate = await startGate(t, { store, files: { secret: 'open-sesame-0815\n' } })
  await gate.logged(away)
  gate.replace({ store, files: { secret: 'open-sesame-4711\n' } })
  await gate.logged(back)
})

t.test('the last use of a key at one gate is known at all gates', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const [one, other] = await startGates(t, 2, redis)
  const startMs = Date.now()
  await one?.ask('GET', '/id')
  await one?.close()
  const times = await other?.keyUses?.read()
  t.same([...(times?.keys() ?? [])], ['alpha/k1'])
  t.ok((times?.get('alpha/k1') ?? 0) >= startMs)
})

t.test('a store can be used over TLS, and only with a valid certificate', { skip }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(place, { recursive: true })
  })
  writeFileSync(join(place, 'cert.pem'), certificate.cert)
  writeFileSync(join(place, 'key.pem'), certificate.key)
  const port = String(await freePort())
  const files = [
    '--tls-cert-file',
    join(place, 'cert.pem'),
    '--tls-key-file',
    join(place, 'key.pem'),
  ]
  const tls = ['--tls-port', port, '--tls-auth-clients', 'no', ...files]
  const redis = await TestRedis.start(t, tls)
  const limits = { reads: { max: 1, windowSeconds: 3600 } }
  const url = `rediss://localhost:${port}`
  const store = { redis: url, caFile: 'cert.pem' }
  const gates = await startGates(t, 2, redis, { limits, store })
  t.same(await statuses(gates, 2), { 200: 1, 429: 1 })
  const [strict] = await startGates(t, 1, redis, { store: { redis: url } })
  t.match(await strict?.logged(away), { reason: /SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/ })

  const ofAnother = { store: { redis: url, caFile: 'ca.pem' } }
  const [stale] = await startGates(t, 1, redis, {
    ...ofAnother,
    files: { 'ca.pem': otherCertificate.cert },
  })
  await stale?.logged(away)
  const replaced = { redis: url, timeoutMs: 2000, caFile: 'ca.pem' }
  stale?.replace({ store: replaced, files: { 'ca.pem': certificate.cert } })
  await stale?.logged(back)
})

/** What a gate of a cluster uses of the store, and a client that sees all of it. */
async function claimed(t: Test, redis: TestRedis, peers: readonly string[]) {
  const settings = { redis: redis.url, namespace: 'pinwarden', timeoutMs: 2000 } as const
  const store = await Store.open({
    settings: { ...settings, failMode: 'closed' },
    ...{ secrets: {}, log: () => undefined },
  })
  const [gateId = ''] = peers
  const locks = new SharedLocks({ store, gateId })
  t.teardown(() => {
    locks.close()
    store.close()
  })
  await store.claim(peers)
  const mail = new SharedMail(store, gateId)
  return { store, locks, exchange: () => mail.exchange('{}', new Map([['a', '{}']])) }
}

t.test('a namespace that the store lost belongs to who takes it first', { skip }, async (t) => {
  const redis = await TestRedis.start(t)
  const client = new Redis(redis.url)
  t.teardown(() => {
    client.disconnect()
  })
  const ours = await claimed(t, redis, ['gate1111', 'peer'])
  t.ok(await ours.exchange())

  await client.flushall()
  t.equal(await ours.exchange(), undefined)
  t.ok(await ours.exchange(), 'it is taken again')
  t.same((await client.smembers('pinwarden:{gates}:cluster')).sort(), ['gate1111', 'peer'])

  const other = await claimed(t, redis, ['gate2222'])
  t.equal(other.store.isAnothers, true)
  const isFreed = [() => client.flushall(), () => client.del('pinwarden:{gates}:cluster')]
  for (const free of isFreed) {
    await free()
    await other.store.claim(['gate2222'])
    t.equal(other.store.isUp, true)
    t.equal(await ours.exchange(), undefined)
    t.match(ours.store.report, { isUp: false, problem: 'namespace', isRefusing: true })
    t.notOk(await client.hexists('pinwarden:{gates}', 'gate1111'), 'nothing is left there')
    await client.flushall()
    await ours.store.claim(['gate1111', 'peer'])
  }

  await client.flushall()
  await other.store.claim(['gate2222'])
  await t.rejects(ours.locks.acquire('a', 1000, 'gate1111.1'), { message: 'store-unavailable' })
  t.same(await client.keys('*{a}*'), [], 'nor a lock')
})
