/** Ready means that settings are loaded and that the cluster answers; it is never asked in floods. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { createReadiness } from '../../src/admin/readiness.js'
import { HealthProbe } from '../../src/cluster/health-probe.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { startAdmin } from './start-admin.js'

/** Nothing waits for so long unless the machine is very busy. */
const patienceMs = 30_000
const login = { username: 'gate', password: 'secret' }
const authorization = `Basic ${Buffer.from('gate:secret').toString('base64')}`

async function probeCluster(
  origin: string,
  authorization: string | undefined,
  timeoutMs: number,
): Promise<boolean> {
  const probe = new HealthProbe({ origin, authorization, connect: {} }, timeoutMs)
  try {
    return await probe.ask()
  } finally {
    await probe.close()
  }
}

t.test('readyz follows the cluster down and up again', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const { url } = cluster
  const admin = await startAdmin(t, {
    isClusterUp: () => probeCluster(url, undefined, patienceMs),
    timeoutMs: patienceMs,
  })
  const up = await admin.ask('GET', '/readyz')
  t.equal(up.status, 200)
  t.same(JSON.parse(up.text), { ready: true })

  await cluster.close()
  const down = await admin.ask('GET', '/readyz')
  t.equal(down.status, 503)
  t.same(JSON.parse(down.text), {
    code: 503,
    message: 'not ready: cluster',
    missing: ['cluster'],
  })
  t.equal((await admin.ask('GET', '/healthz')).status, 200, 'the process itself is healthy')

  const again = await startFakeCluster({ port: Number(new URL(url).port) })
  t.teardown(() => again.close())
  t.equal((await admin.ask('GET', '/readyz')).status, 200)
})

t.test('the cluster is asked only what costs it nothing, and never for its id', async (t) => {
  const cluster = await startFakeCluster(login)
  t.teardown(() => cluster.close())
  t.equal(await probeCluster(cluster.url, authorization, patienceMs), true)
  t.same(
    cluster.requests.map(({ method, target }) => `${method} ${target}`),
    ['GET /health', 'GET /version'],
  )
  await cluster.connectionsClosed()
})

t.test("a cluster that refuses the gate's credential is not up", async (t) => {
  const cluster = await startFakeCluster(login)
  t.teardown(() => cluster.close())
  t.equal(await probeCluster(cluster.url, undefined, patienceMs), false)
  const probe = new HealthProbe(
    { origin: cluster.url, authorization: undefined, connect: {} },
    patienceMs,
  )
  await probe.ask()
  t.equal(probe.fault, 'cluster-auth', 'and the probe says why')
  await cluster.close()
  await probe.ask()
  t.equal(probe.fault, 'cluster-unreachable', 'as of the last check')
  await probe.close()
})

t.test('a cluster without /health is up if it reports its version', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  cluster.behave({ path: '/health' }, { kind: 'status', status: 404, body: '404 page not found\n' })
  t.equal(await probeCluster(cluster.url, undefined, patienceMs), true)
})

t.test('errors, redirects, resets and silence are not up', async (t) => {
  for (const behaviour of [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 301, headers: { Location: '/elsewhere' } },
    { kind: 'reset' },
    { kind: 'hangup' },
    { kind: 'stall' },
  ] as const) {
    for (const path of ['/health', '/version']) {
      const cluster = await startFakeCluster()
      t.teardown(() => cluster.close())
      cluster.behave({ path }, behaviour)
      const startMs = performance.now()
      t.equal(await probeCluster(cluster.url, undefined, 300), false, `${behaviour.kind} ${path}`)
      t.ok(performance.now() - startMs < 2000, 'bounded in time')
    }
  }
})

t.test('a port that accepts and says nothing is not up', async (t) => {
  const mute = createServer().listen(0, '127.0.0.1')
  await once(mute, 'listening')
  t.teardown(() => mute.close())
  const address = mute.address()
  const port = address !== null && typeof address !== 'string' ? address.port : 0
  t.equal(await probeCluster(`http://127.0.0.1:${port}`, undefined, 200), false)
})

t.test('other missing parts are reported, even when the cluster is up', async (t) => {
  let obstacles = ['settings']
  const admin = await startAdmin(t, { obstacles: () => obstacles })
  const answer = await admin.ask('GET', '/readyz')
  t.equal(answer.status, 503)
  t.match(JSON.parse(answer.text), { code: 503, missing: ['settings'] })
  obstacles = []
  t.equal((await admin.ask('GET', '/readyz')).status, 200)
})

t.test('concurrent and quickly repeated checks send one request to the cluster', async (t) => {
  let questions = 0
  const isClusterUp = () => Promise.resolve(++questions > 0)
  const missing = createReadiness({ obstacles: () => [], isClusterUp, cacheMs: 60_000 })
  t.same(await Promise.all([missing(), missing(), missing()]), [[], [], []])
  t.same(await missing(), [])
  t.equal(questions, 1)
})

t.test('an answer is not reused for long', async (t) => {
  let questions = 0
  const isClusterUp = () => Promise.resolve(++questions % 2 === 1)
  const missing = createReadiness({ obstacles: () => [], isClusterUp, cacheMs: 0 })
  t.same(await missing(), [])
  t.same(await missing(), ['cluster'])
  t.same(await missing(), [])
})

t.test('a request that fails or is never answered counts as down', async (t) => {
  const obstacles = () => []
  const fails = createReadiness({
    obstacles,
    isClusterUp: () => Promise.reject(new Error('no')),
  })
  t.same(await fails(), ['cluster'])
  const never = createReadiness({
    obstacles,
    isClusterUp: () => new Promise(() => undefined),
    timeoutMs: 50,
  })
  t.same(await never(), ['cluster'])
})
