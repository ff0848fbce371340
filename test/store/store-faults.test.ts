/** A store that fails while it is asked, as a client, the log and the metrics see it. */
import t, { type Test } from 'tap'
import { seriesIn } from '../support/exposition.js'
import { type Failure, startFailingWire } from '../support/failing-wire.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { noRedis as skip, TestRedis } from '../support/redis.js'
import { startGate } from '../support/start-gate.js'

const cid = generatedCid(9)

async function started(t: Test, redis: TestRedis, failMode: 'open' | 'closed') {
  const wire = await startFailingWire(t, redis.port)
  const store = { redis: wire.url, timeoutMs: 500, failMode }
  const health = { intervalMs: 3_600_000, failuresMax: 1 }
  const gate = await startGate(t, { enforcement: 'enforce', cluster: { health }, store })
  return { wire, gate }
}

/** What a gate counts with, and what it locks with. */
const [limits, locks] = ['pinwarden:rate:', ':turn']

const failures: readonly (readonly [Failure, string, string, string])[] = [
  ['silence', 'store-timeout', 'did not answer in time', 'no answer in time'],
  ['error', 'store-refused', 'answered with an error', 'OOM'],
  ['hang-up', 'store-hung-up', 'closed the connection', 'no answer in time'],
]

for (const [how, reason, words, cause] of failures) {
  t.test(`a request that meets ${how} of its store gets ${reason}`, { skip }, async (t) => {
    const redis = await TestRedis.start(t)
    const fails = async (text: string, method: string, path: string) => {
      const { wire, gate } = await started(t, redis, 'closed')
      // At the start it was asked whose the namespace is.
      gate.cluster.reset()
      wire.fail(text, how)
      const answer = await gate.ask(method, path)
      t.equal(answer.status, 503, path)
      t.match(answer.headers.get('content-type'), /^application\/json/)
      t.equal(answer.headers.get('retry-after'), '5')
      t.same(answer.json, { code: 503, message: `the shared store ${words}` })
      const line = await gate.line()
      t.match(line, { outcome: 'fault', reason, status: 503 })
      t.equal(line.upstreamError, cause)
      t.same(await seriesIn(gate.metrics, 'pinwarden_faults_total'), [
        `pinwarden_faults_total{reason="${reason}"} 1`,
      ])
      t.same(gate.cluster.requests, [], 'the cluster is not asked')
      t.match(gate.endpoints, [{ state: 'up' }])
    }
    await Promise.all([fails(limits, 'GET', '/id'), fails(locks, 'POST', `/pins/${cid}`)])
  })
}

t.test('with failMode open an error of the store fails no request', { skip }, async (t) => {
  const { wire, gate } = await started(t, await TestRedis.start(t), 'open')
  wire.fail(limits, 'error')
  t.equal((await gate.ask('GET', '/id')).status, 200)
  t.match(await gate.line(), { outcome: 'answered' })
})

t.test('a body that is not read because of the store ends its connection', { skip }, async (t) => {
  const { wire, gate } = await started(t, await TestRedis.start(t), 'closed')
  wire.fail(limits, 'error')
  const body = 'x'.repeat(1024 * 1024)
  const answer = await gate.ask('POST', `/pins/${cid}`, { body })
  t.equal(answer.status, 503)
  t.equal(answer.headers.get('connection'), 'close')
})
