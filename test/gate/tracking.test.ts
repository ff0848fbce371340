/** What becomes of pins that pass through, and waiting for it, at a real gate. */
import t from 'tap'
import { generatedCid } from '../support/fake-cluster/index.js'
import { RawClient } from '../support/raw.js'
import { startGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

t.test('a pin that Kubo has is an event of its encoder', async (t) => {
  const gate = await startGate(t)
  await gate.ask('POST', `/pins/${cid}`)
  t.match(await gate.pinEvent(), { cid, encoder: 'alpha', result: 'pinned' })
  const questions = gate.cluster.requests
    .map(({ target }) => target)
    .filter((target) => target.startsWith('/pins?'))
  t.same(questions, ['/pins?filter=pin_queued,pinning', `/pins?cids=${cid}`])
})

t.test(
  'an error of the cluster about pending pins is a warning, and it is asked again',
  async (t) => {
    const gate = await startGate(t)
    const path = /^\/pins\?filter=/
    gate.cluster.behave({ path }, { kind: 'status', status: 500, body: '{}' }, 1)
    await gate.ask('POST', `/pins/${cid}`)
    const { level, err } = await gate.logged('could not read pending pins yet')
    t.match([level, err], ['warn', { reason: 'cluster-error' }])
    t.match(await gate.pinEvent(), { cid, encoder: 'alpha', result: 'pinned' })
  },
)

t.test('a pin that fails is logged in plain words', async (t) => {
  const gate = await startGate(t)
  gate.cluster.statusOfNewPins = 'pinning'
  await gate.ask('POST', `/pins/${cid}`)
  gate.cluster.setStatus(cid, 'pin_error', 'context canceled')
  const logLine = await gate.logged('a pin failed: the cluster will try it again')
  t.match(logLine, {
    level: 'warn',
    cid,
    encoder: 'alpha',
    why: 'the cluster gave up before Kubo had it: no progress in its pin_timeout, or a restart',
  })
  gate.cluster.setStatus(cid, 'pin_queued')
  await gate.ask('POST', `/pins/${cid}/recover`)
  await gate.ask('DELETE', `/pins/${cid}`)
  t.match(await gate.pinEvent(({ result }) => result === 'unpinned'), { cid, encoder: 'alpha' })
})

t.test('a status that waits is answered when the pin is in a terminal state', async (t) => {
  const gate = await startGate(t)
  const { cluster } = gate
  cluster.statusOfNewPins = 'pinning'
  await gate.ask('POST', `/pins/${cid}`)
  const answers = Array.from({ length: 20 }, () => gate.ask('GET', `/pins/${cid}?wait=30s`))
  // Once this is answered, the gate has read the others.
  await gate.ask('GET', '/id')
  cluster.setStatus(cid, 'pinned')
  for (const answer of await Promise.all(answers)) {
    t.equal(answer.status, 200)
    t.match(answer.text, '"status":"pinned"')
  }
  const named = cluster.requests.filter(({ target }) => target.includes(`s=${cid}`))
  t.equal(named.length, 1, 'asked for by name once')
  const status = cluster.requests.filter(({ target }) => target === `/pins/${cid}`)
  t.equal(status.filter(({ method }) => method === 'GET').length, 1, 'one answer for all')
  const line = await gate.line(({ cid, method }) => method === 'GET' && cid !== undefined)
  t.ok((line.waitedMs ?? 0) > line.durationMs, 'the wait is not counted as time of the gate')
})

t.test('a status that waits is answered when the time is up', async (t) => {
  const gate = await startGate(t)
  gate.cluster.statusOfNewPins = 'pinning'
  await gate.ask('POST', `/pins/${cid}`)
  const answer = await gate.ask('GET', `/pins/${cid}?wait=1s`)
  t.match(answer.text, '"status":"pinning"')
  // A timer may be some milliseconds early by another clock.
  t.ok(((await gate.line(({ method }) => method === 'GET')).waitedMs ?? 0) >= 900)
})

t.test('a pin that is already terminal, or not pinned, is answered immediately', async (t) => {
  const gate = await startGate(t)
  gate.cluster.addPin(cid)
  t.match((await gate.ask('GET', `/pins/${cid}?wait=60s`)).text, '"status":"pinned"')
  const other = generatedCid(1)
  t.match((await gate.ask('GET', `/pins/${other}?wait=60s`)).text, '"status":"unpinned"')
})

t.test('a malformed wait is refused, and nothing reaches the cluster', async (t) => {
  const gate = await startGate(t)
  for (const wait of ['0s', '999ms', '61s', '1h', '25', 'soon', '-5s', '1s2']) {
    const { status, json } = await gate.ask('GET', `/pins/${cid}?wait=${wait}`)
    t.equal(status, 400, wait)
    t.same(json, { code: 400, message: 'parameter wait invalid: 1s to 60s' })
  }
  t.equal((await gate.ask('GET', `/pins?cids=${cid}&wait=5s`)).status, 400, 'of one pin only')
  t.same(gate.cluster.requests, [])
})

t.test('after a waiting client leaves, no more requests are sent', async (t) => {
  const gate = await startGate(t)
  gate.cluster.addPin(cid, { status: 'pinning' })
  const leaving = new AbortController()
  const asked = gate.ask('GET', `/pins/${cid}?wait=60s`, { signal: leaving.signal })
  await gate.cluster.nextRequest()
  leaving.abort()
  await t.rejects(asked)
  t.match(await gate.line(), { outcome: 'aborted', reason: 'client-left', status: 499 })
  t.same(
    gate.cluster.requests.map(({ target }) => target),
    [`/pins?cids=${cid}`],
  )
})

t.test('a wait that begins while the gate stops is answered immediately', async (t) => {
  const gate = await startGate(t, { listen: { lingerMs: 60_000 } })
  gate.cluster.addPin(cid, { status: 'pinning' })
  const client = await RawClient.to(gate.url)
  await client.write(gate.head('GET /id HTTP/1.1')).until(/\}\n$/)
  const closing = gate.close()
  // Whatever closes in the same turn is closed by then.
  await new Promise((resolve) => setImmediate(resolve))
  client.write(gate.head(`GET /pins/${cid}?wait=60s HTTP/1.1`))
  t.match(await client.all(), '"status":"pinning"')
  await closing
})

t.test('a gate that closes answers waiting requests', async (t) => {
  const gate = await startGate(t)
  gate.cluster.addPin(cid, { status: 'pinning' })
  const asked = gate.ask('GET', `/pins/${cid}?wait=60s`)
  await gate.cluster.nextRequest()
  await Promise.all([gate.close(), asked])
  t.match((await asked).text, '"status":"pinning"')
})
