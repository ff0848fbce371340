/** Every wait and size has an end, and others are served meanwhile. */
import t, { type Test } from 'tap'
import { head, RawClient, statuses } from '../support/raw.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

const servesOthers = async (t: Test, gate: TestGate) => {
  t.equal((await gate.ask('GET', '/id')).status, 200, 'others are served')
}

// Each waits for a bound of its own gate.
t.jobs = 4

t.test('a head that does not arrive in time is answered 408', async (t) => {
  const gate = await startGate(t, { listen: { headersTimeoutMs: 1000 } })
  const slow = await RawClient.to(gate.url)
  slow.write('GET /id HTTP/1.1\r\nHost: x\r\nA: ')
  await servesOthers(t, gate)
  t.same(statuses(await slow.all()), [408])
  t.match(await gate.line((line) => line.status === 408), { reason: 'request-timeout' })
})

t.test('a body that does not arrive in time cuts the connection', async (t) => {
  const gate = await startGate(t, { listen: { headersTimeoutMs: 1000, requestTimeoutMs: 1000 } })
  const slow = await RawClient.to(gate.url)
  slow.write(gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 4') + 'nu')
  await servesOthers(t, gate)
  await slow.closed
  t.match(await gate.line((line) => line.method === 'POST'), {
    status: 408,
    reason: 'request-timeout',
  })
  t.equal(gate.cluster.requests.length, 1, 'only the other one')
})

t.test('a body that never comes after a refusal adds no line to it', async (t) => {
  const gate = await startGate(t, { listen: { headersTimeoutMs: 1000, requestTimeoutMs: 1000 } })
  const slow = await RawClient.to(gate.url)
  slow.write(head(`POST /pins/${cid} HTTP/1.1`, 'Host: x', 'Content-Length: 10'))
  await slow.until('401')
  slow.write('nu')
  await slow.closed
  t.match(gate.lines, [{ status: 401, reason: 'no-credential' }])
  t.equal(gate.lines.length, 1)
})

t.test('an idle connection is closed after its time, without a line', async (t) => {
  const gate = await startGate(t, { listen: { keepAliveTimeoutMs: 1000 } })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1'))
  t.same(statuses(await client.all()), [200])
  t.equal(gate.lines.length, 1)
})

t.test('a silent connection is closed after its time, without a line', async (t) => {
  const gate = await startGate(t, { listen: { headersTimeoutMs: 1000 } })
  const client = await RawClient.to(gate.url)
  t.equal(await client.all(), '')
  t.equal(gate.lines.length, 0)
})

for (const tls of [false, true]) {
  t.test(
    `a client that reads nothing is cut off, the cluster freed, ${tls ? 'with' : 'without'} TLS`,
    async (t) => {
      const gate = await startGate(t, { tls, listen: { stallMs: 1000 } })
      gate.cluster.behave({ path: '/pins' }, { kind: 'stream', lines: 100_000, bytes: 1000 })
      const stalled = await RawClient.to(gate.url)
      stalled.socket.pause()
      stalled.write(gate.head(`GET /pins?cids=${cid} HTTP/1.1`))
      const received = await gate.cluster.nextRequest()
      if (!tls) await servesOthers(t, gate)
      t.match(await gate.line((line) => line.route === '/pins'), {
        outcome: 'aborted',
        reason: 'client-stalled',
        status: 200,
      })
      await received.aborted
      stalled.socket.destroy()
    },
  )
}

t.test(
  'a cluster that pauses inside an answer does not count as a client that stalls',
  async (t) => {
    const gate = await startGate(t, { listen: { stallMs: 1000 } })
    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const client = await RawClient.to(gate.url)
    client.write(gate.head('GET /pins HTTP/1.1', 'Connection: close'))
    stream.write('{"n":1}\n')
    await client.until('"n":1')
    // Two seconds, told by another gate that closes a silent connection after them.
    const clock = await startGate(t, { listen: { headersTimeoutMs: 2000 } })
    await (
      await RawClient.to(clock.url)
    ).closed
    stream.write('{"n":2}\n')
    stream.end()
    t.match(await client.all(), /"n":2/)
    t.match(await gate.line(), { outcome: 'answered', status: 200 })
  },
)

t.test('a cluster that pauses for too long inside an answer is cut off', async (t) => {
  const gate = await startGate(t, { cluster: { idleTimeoutMs: 1000 } })
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /pins HTTP/1.1'))
  stream.write('{"n":1}\n')
  await client.closed
  t.notMatch(client.text, /\r\n0\r\n/, 'no clean end')
  t.match(await gate.line(), { outcome: 'fault', reason: 'cluster-cut' })
})
