/** Equal requests at the same time are one to the cluster, and no answer is outdated. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import { askedOf } from '../support/asked.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const other = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'
const path = `/pins/${cid}`

const asked = ({ cluster }: TestGate): string[] =>
  askedOf(cluster).filter((request) => request !== 'GET /id')

/** Holds the first answer until the test releases it. */
function held({ cluster }: TestGate): () => void {
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  const undo = cluster.behave({ method: 'GET', path }, { kind: 'hold', until })
  return () => {
    undo()
    release()
  }
}

t.test('requests for the same pin at the same time share one answer', async (t) => {
  const gate = await startGate(t, { encoders: { beta: {} } })
  gate.cluster.addPin(cid)
  const release = held(gate)
  const first = gate.ask('GET', path)
  await gate.cluster.nextRequest()
  const others = [
    gate.ask('GET', path, { as: 'beta' }),
    gate.ask('GET', `${path}?local=false`),
    gate.ask('GET', path),
  ]
  // Once this is answered, the gate has read the others.
  await gate.ask('GET', '/id')
  release()
  const answers = await Promise.all([first, ...others])
  for (const { status, text } of answers) {
    t.equal(status, 200)
    t.match(text, /"status":"pinned"/)
    t.equal(text, answers[0].text)
  }
  t.equal(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size, 4)
  t.same(asked(gate), [`GET ${path}`])
  t.equal(gate.lines.filter(({ upstreamStatus }) => upstreamStatus === 200).length, 5)
})

t.test('a request after the answer is sent again, and so is a different request', async (t) => {
  const gate = await startGate(t)
  await gate.ask('GET', path)
  await gate.ask('GET', path)
  await Promise.all([gate.ask('GET', `${path}?local=true`), gate.ask('GET', `/pins/${other}`)])
  t.equal(asked(gate).length, 4)
})

t.test('the first client may leave, and the others are answered', async (t) => {
  const gate = await startGate(t)
  const release = held(gate)
  const leave = new AbortController()
  const first = gate.ask('GET', path, { signal: leave.signal })
  await gate.cluster.nextRequest()
  const second = gate.ask('GET', path)
  await gate.ask('GET', '/id')
  leave.abort()
  await t.rejects(first)
  t.match(await gate.line((line) => line.route === '/pins/:cid'), { status: 499 })
  release()
  t.equal((await second).status, 200)
  t.same(asked(gate), [`GET ${path}`])
})

t.test('when all clients have left, the request to the cluster is cancelled', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ path }, { kind: 'stall' })
  const leave = new AbortController()
  const first = gate.ask('GET', path, { signal: leave.signal })
  const received = await gate.cluster.nextRequest()
  const second = gate.ask('GET', path, { signal: leave.signal })
  await gate.ask('GET', '/id')
  leave.abort()
  await Promise.allSettled([first, second])
  await received.aborted
  gate.cluster.reset()
  t.equal((await gate.ask('GET', path)).status, 200, 'and it can be asked again')
})

t.test('a read after a write never gets an answer from before the write', async (t) => {
  for (const [method, before, after] of [
    ['POST', 'unpinned', 'pinned'],
    ['DELETE', 'pinned', 'unpinned'],
  ] as const) {
    const gate = await startGate(t)
    if (method === 'DELETE') gate.cluster.addPin(cid)
    // The cluster has answered, as it were, and the answer is still on its way.
    const body = `{"status":"${before}"}`
    const undo = gate.cluster.behave({ method: 'GET', path }, { kind: 'stall' })
    const old = gate.ask('GET', path)
    await gate.cluster.nextRequest()
    undo()
    t.equal((await gate.ask(method, path)).status, 200)
    const fresh = await gate.ask('GET', path)
    t.match(fresh.text, `"status":"${after}"`)
    t.notMatch(fresh.text, body)
    t.same(asked(gate), [`GET ${path}`, `${method} ${path}`, `GET ${path}`])
    await old
  }
})

t.test('a fault is a fault for all of them', async (t) => {
  const gate = await startGate(t)
  const until = gate.cluster.nextRequest().then(() => gate.ask('GET', '/id'))
  gate.cluster.behave({ path }, { kind: 'hold', until })
  const asking = [gate.ask('GET', path), gate.ask('GET', path)]
  await until
  await gate.cluster.close()
  for (const answer of await Promise.all(asking))
    t.match(answer, { status: 502, json: { code: 502 } })
  t.match(await gate.line((line) => line.cid === cid), { outcome: 'fault' })
})

t.test('an answer that breaks off is a fault for all of them', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const gate = await startGate(t, { clusterUrl: `http://127.0.0.1:${port}` })
  const asking = [gate.ask('GET', path), gate.ask('GET', path)]
  while (sockets.length === 0) await once(server, 'connection')
  // Refused by the gate itself: once it is answered, both of the others were read.
  await gate.ask('GET', '/nothing')
  sockets[0]?.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"cid":')
  for (const answer of await Promise.all(asking))
    t.match(answer, { status: 502, json: { message: 'the cluster broke off its answer' } })
  t.equal(sockets.length, 1)
})
