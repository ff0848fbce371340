/** Reads of records share connections: what becomes of one is not what becomes of the next. */
import t, { type Test } from 'tap'
import { generatedCid } from '../support/fake-cluster/index.js'
import { startClusterClient } from '../support/cluster-client.js'

const headers = {}
const longMs = 60_000

async function start(t: Test, settings?: object) {
  const { cluster, client } = await startClusterClient(t, settings)
  const read = (index: number, timeoutMs = longMs) =>
    client.current.ask(`/allocations/${generatedCid(index)}`, headers, timeoutMs)
  const asked = () =>
    cluster.requests.map(({ target }) => target).filter((path) => path !== '/health')
  const state = () => client.current.endpoints[0]?.report.state
  return { cluster, read, asked, state }
}

t.test('each answer reaches its own request, whatever precedes it', async (t) => {
  const { cluster, read } = await start(t)
  const indexes = Array.from({ length: 100 }, (_, index) => index)
  for (const index of indexes)
    if (index % 3 > 0) cluster.addPin(generatedCid(index), { name: `pin ${index}` })
  const found = await Promise.all(indexes.map((index) => read(index)))
  for (const index of indexes) {
    const { status, text } = found[index] ?? { status: 0, text: '' }
    t.equal(status, index % 3 > 0 ? 200 : 404)
    t.equal(text.includes(`"name":"pin ${index}"`), index % 3 > 0)
  }
})

t.test('after a read that times out, the reads behind it are sent again', async (t) => {
  const { cluster, read, asked } = await start(t)
  cluster.addPin(generatedCid(2))
  cluster.behave({ path: /^\/allocations\// }, { kind: 'stall' }, 1)
  // The second one gets the other connection.
  const [late, , behind] = await Promise.allSettled([read(0, 100), read(1), read(2)])
  t.match(late, { status: 'rejected', reason: { reason: 'cluster-timeout' } })
  t.match(behind, { status: 'fulfilled', value: { status: 200 } })
  t.same(
    asked(),
    [0, 1, 2].map((index) => `/allocations/${generatedCid(index)}`),
  )
})

t.test('a read is sent again whole when another one ends inside its answer', async (t) => {
  const { cluster, read, asked } = await start(t)
  cluster.addPin(generatedCid(0))
  const half =
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"cid"'
  cluster.behave({ path: /^\/allocations\// }, { kind: 'raw', bytes: half, end: 'keep' }, 1)
  // The second one gets the other connection.
  const [whole, , late] = await Promise.allSettled([read(0), read(1), read(2, 100)])
  t.match(late, { status: 'rejected', reason: { reason: 'cluster-timeout' } })
  t.match(whole, { status: 'fulfilled', value: { status: 200 } })
  t.same(
    asked(),
    [0, 1, 0].map((index) => `/allocations/${generatedCid(index)}`),
  )
})

t.test('an answer too many fails one read, and those behind it are sent again', async (t) => {
  const { cluster, read } = await start(t)
  cluster.addPin(generatedCid(0))
  cluster.addPin(generatedCid(3))
  const body = `{"cid":"${generatedCid(0)}"}`
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const behaviour = { kind: 'raw', bytes: answer + answer, end: 'keep' } as const
  cluster.behave({ path: /^\/allocations\// }, behaviour, 1)
  // The second one gets the other connection.
  const [first, , wrong, behind] = await Promise.allSettled([read(0), read(1), read(2), read(3)])
  t.match(first, { status: 'fulfilled', value: { status: 200 } })
  t.match(wrong, { status: 'rejected', reason: { reason: 'cluster-bad-answer' } })
  t.match(behind, { status: 'fulfilled', value: { status: 200 } })
})

t.test('a read without time left is not sent', async (t) => {
  const { cluster, read } = await start(t)
  for (const outcome of await Promise.allSettled([read(0, 0), read(0, -2.7)]))
    t.match(outcome, { status: 'rejected', reason: { reason: 'cluster-timeout' } })
  t.same(cluster.requests, [])
})

t.test('a late read does not take down an endpoint that answers its checks', async (t) => {
  const health = { intervalMs: 3_600_000, timeoutMs: 400, failuresMax: 1 }
  const { cluster, read, state } = await start(t, { health })
  cluster.behave({ path: /^\/allocations\// }, { kind: 'stall' })
  const late = [{ status: 'rejected', reason: { reason: 'cluster-timeout' } }]
  t.match(await Promise.allSettled([read(0, 100)]), late)
  t.equal(state(), 'up')
  t.match(await Promise.allSettled([read(0, 500)]), late)
  t.equal(state(), 'up', 'also one that had its time')
})
