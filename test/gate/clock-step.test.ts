/** The host's clock is set back or forward while the gate serves: spans are not affected. */
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { BudgetUse } from '../../src/gate/limit/budget-use.js'
import { noRedis as skip, TestRedis } from '../support/redis.js'
import { startGate } from '../support/start-gate.js'

const hourMs = 3_600_000

/** The process is the gate's, the clients' and the cluster's. */
function putClock(t: Test, byMs: number): void {
  const realNow = Date.now
  t.teardown(() => (Date.now = realNow))
  Date.now = () => realNow() + byMs
}

t.test('a budget that is used up comes back with its window, whatever the clock', async (t) => {
  const gate = await startGate(t, { limits: { reads: { max: 2, windowSeconds: 1 } } })
  const ask = () => gate.ask('GET', '/id')
  for (const status of [200, 200, 429]) t.equal((await ask()).status, status)
  putClock(t, -hourMs)
  const refused = await ask()
  t.match(refused, { status: 429 })
  t.equal(refused.headers.get('retry-after'), '1')
  t.equal(refused.headers.get('ratelimit'), '"reads";r=0;t=1')
  let answer
  do answer = await ask()
  while (answer.status === 429 && answer.headers.get('retry-after') === '1')
  t.equal(answer.status, 200)
})

t.test('a clock set forward does not refill a budget', async (t) => {
  const gate = await startGate(t, { limits: { reads: { max: 1, windowSeconds: 60 } } })
  t.equal((await gate.ask('GET', '/id')).status, 200)
  putClock(t, hourMs)
  t.equal((await gate.ask('GET', '/id')).status, 429)
})

t.test('failed attempts are forgotten with their window', async (t) => {
  const gate = await startGate(t, { limits: { failures: { max: 1, windowSeconds: 2 } } })
  const headers = { authorization: 'Bearer x' }
  t.equal((await gate.ask('GET', '/id', { headers })).status, 401)
  putClock(t, -hourMs)
  const refused = await gate.ask('GET', '/id', { headers })
  t.match(refused, { status: 429 })
  t.match(refused.headers.get('retry-after'), /^[12]$/)
})

t.test(
  "setting back the store's clock does not keep a budget exhausted either",
  { skip },
  async (t) => {
    const redis = await TestRedis.start(t)
    const limits = { reads: { max: 1, windowSeconds: 2 } }
    const gate = await startGate(t, { limits, store: { redis: redis.url, timeoutMs: 2000 } })
    t.equal((await gate.ask('GET', '/id')).status, 200)
    const client = new Redis(redis.url)
    t.teardown(() => {
      client.disconnect()
    })
    const keys = await client.keys('pinwarden:rate:*')
    t.same(keys, ['pinwarden:rate:reads:alpha'])
    // That is what such a step does: keys end at a time, not after a span.
    for (const key of keys) await client.pexpire(key, hourMs)
    const refused = await gate.ask('GET', '/id')
    t.match(refused, { status: 429 })
    t.match(refused.headers.get('retry-after'), /^[12]$/)
    t.ok((await client.pttl(keys[0] ?? '')) <= 2000)
  },
)

t.test('what is left of a budget is shown for its window', (t) => {
  const use = new BudgetUse()
  use.of('alpha').note('reads', { remaining: 3, ttlInSeconds: 60 })
  use.of('alpha').note('writes', { remaining: 3, ttlInSeconds: 0 })
  for (const byMs of [-hourMs, 2 * hourMs]) {
    putClock(t, byMs)
    t.equal(use.remaining('alpha', 'reads'), 3)
    t.equal(use.remaining('alpha', 'writes'), undefined)
  }
  t.end()
})

t.test('a listing has its true age, and a new one is requested', async (t) => {
  const gate = await startGate(t, {
    listing: { maxAgeMs: 60_000 },
    encoders: { root: { role: 'operator' } },
  })
  const ask = (headers = {}) => gate.ask('GET', '/pins', { as: 'root', headers })
  t.equal((await ask()).headers.get('age'), '0')
  putClock(t, hourMs)
  const kept = await ask()
  t.match(kept.headers.get('cache-status'), 'hit')
  t.match(kept.headers.get('age'), /^\d$/)
  putClock(t, -2 * hourMs)
  const fresh = await ask({ 'cache-control': 'no-cache' })
  t.match(fresh.headers.get('cache-status'), 'fwd=miss')
})

t.test('pending pins are counted again after a second', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', limits: { unfinished: 1 } })
  const path = '/pins/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
  t.equal((await gate.ask('POST', path)).status, 200)
  const now = performance.now.bind(performance)
  t.teardown(() => (performance.now = now))
  performance.now = () => now() + 1500
  const asked = () =>
    gate.cluster.requests.filter(({ target }) => target.includes('filter=')).length
  const before = asked()
  putClock(t, -hourMs)
  await gate.ask('POST', '/pins/QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB')
  t.equal(asked(), before + 1)
})
