/** Several endpoints of one cluster: who is asked, who instead, and what is never asked twice. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { askedOf } from '../support/asked.js'
import { startClusterClient } from '../support/cluster-client.js'
import { certificate } from '../support/certificate.js'
import {
  type FakeCluster,
  generatedCid,
  PinState,
  startFakeCluster,
} from '../support/fake-cluster/index.js'
import { startGate, type TestGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

const health = { intervalMs: 3_600_000, timeoutMs: 1000, failuresMax: 1000, slowStartMs: 0 }

/** A gate in front of so many peers with one pinset. */
async function startPeers(
  t: Test,
  count: number,
  cluster: object = {},
): Promise<{ gate: TestGate; peers: FakeCluster[] }> {
  const pins = new PinState()
  const peers = await Promise.all(Array.from({ length: count }, () => startFakeCluster({ pins })))
  t.teardown(() => Promise.all(peers.map((peer) => peer.close())))
  const endpoints = peers.map(({ url }) => ({ url }))
  return { gate: await startGate(t, { cluster: { endpoints, health, ...cluster } }), peers }
}

const nameOf = ({ url }: FakeCluster): string => new URL(url).host

t.test('reads go to all peers in turn, writes and their reads of the state to one', async (t) => {
  const { gate, peers } = await startPeers(t, 3)
  const [first] = peers as [FakeCluster]
  for (let index = 0; index < 6; index++) t.equal((await gate.ask('GET', '/id')).status, 200)
  t.same(
    peers.map((peer) => askedOf(peer).length),
    [2, 2, 2],
  )
  for (let index = 0; index < 4; index++)
    t.equal((await gate.ask('POST', `/pins/${cid}?name=${index}`)).status, 200)
  t.equal((await gate.ask('DELETE', `/pins/${cid}`)).status, 200)
  t.equal(askedOf(first).length, 2 + 5)
  t.equal(first.stateReads, 5)
  const line = await gate.line(({ permission }) => permission === 'unpin')
  t.equal(line.endpoint, nameOf(first))
})

t.test('a read of a recently changed pin goes to the peer that changed it', async (t) => {
  const { gate, peers } = await startPeers(t, 3)
  const [first] = peers as [FakeCluster]
  await gate.ask('POST', `/pins/${cid}`)
  for (let index = 0; index < 3; index++) await gate.ask('GET', `/pins/${cid}`)
  t.same(
    peers.map((peer) => askedOf(peer).length),
    [4, 0, 0],
  )
  t.equal(first.pins.has(cid), true)
})

t.test('the least busy peer is asked', async (t) => {
  const { gate, peers } = await startPeers(t, 2)
  const [first, second] = peers as [FakeCluster, FakeCluster]
  const stall = first.behave({ path: '/id' }, { kind: 'stall' })
  const asked = first.nextRequest()
  const slow = [gate.ask('GET', '/id'), gate.ask('GET', '/id')]
  await asked
  for (let index = 0; index < 3; index++) t.equal((await gate.ask('GET', '/id')).status, 200)
  stall.release()
  await Promise.all(slow)
  t.equal(askedOf(first).length, 1)
  t.equal(askedOf(second).length, 4)
})

for (const [what, behaviour] of [
  ['resets', { kind: 'reset' }],
  ['hangs up', { kind: 'hangup' }],
  ['breaks off', { kind: 'die-mid-length' }],
  ['answers nonsense', { kind: 'raw', bytes: 'ÿþ\r\n\r\n' }],
  ['redirects', { kind: 'status', status: 301, headers: { Location: '/' } }],
  ['is unavailable', { kind: 'status', status: 503 }],
] as const) {
  t.test(`a read is asked elsewhere once when a peer ${what}`, async (t) => {
    const { gate, peers } = await startPeers(t, 2)
    for (const peer of peers) peer.behave({ path: '/id' }, behaviour, 1)
    const both = await gate.ask('GET', '/id')
    t.match(both.status, /^50[23]$/, 'once, and not again')
    t.equal((await gate.ask('GET', '/id')).status, 200)

    const [first] = peers as [FakeCluster]
    first.behave({ path: '/id' }, behaviour)
    for (let index = 0; index < 4; index++) t.equal((await gate.ask('GET', '/id')).status, 200)
  })
}

t.test('an unpin that may have been done is never sent again', async (t) => {
  const { gate, peers } = await startPeers(t, 2)
  const [first, second] = peers as [FakeCluster, FakeCluster]
  first.addPin(cid)
  first.behave({ method: 'DELETE' }, { kind: 'lose-answer' }, 1)
  const lost = await gate.ask('DELETE', `/pins/${cid}`)
  t.equal(lost.status, 502)
  t.same(askedOf(first), [`DELETE /pins/${cid}`])
  t.same(askedOf(second), [])
})

t.test('a pin whose connection was refused goes to another peer', async (t) => {
  const { gate, peers } = await startPeers(t, 3)
  const [first, ...others] = peers as [FakeCluster, FakeCluster, FakeCluster]
  await first.close()
  const answer = await gate.ask('POST', `/pins/${cid}`)
  t.equal(answer.status, 200)
  t.same(others.flatMap(askedOf), [`POST /pins/${cid}`])
  const logLine = await gate.logged(
    'an endpoint of the cluster went down; the gate asks the others',
  )
  t.match(logLine, { level: 'warn', endpoint: nameOf(first), reason: 'cluster-unreachable' })

  for (let index = 0; index < 3; index++) await gate.ask('POST', `/pins/${cid}?name=${index}`)
  t.same(others.map((peer) => askedOf(peer).length).sort(), [0, 4], 'and the next ones as well')
})

t.test('a read that waits for a peer that hangs goes elsewhere when that is known', async (t) => {
  const { gate, peers } = await startPeers(t, 2, { health: { ...health, failuresMax: 1 } })
  const [first, second] = peers as [FakeCluster, FakeCluster]
  first.behave({ path: '/id' }, { kind: 'stall' })
  const arrived = first.nextRequest()
  const reads = [gate.ask('GET', '/id'), gate.ask('GET', '/id')]
  await arrived
  first.behave({ method: 'POST' }, { kind: 'reset' })
  first.behave({ path: '/health' }, { kind: 'reset' })
  await gate.ask('POST', `/pins/${cid}`)
  t.same(
    (await Promise.all(reads)).map(({ status }) => status),
    [200, 200],
  )
  t.equal(askedOf(second).filter((line) => line === 'GET /id').length, 2)
})

t.test('with no peer available a request is refused immediately, with a Retry-After', async (t) => {
  const { gate, peers } = await startPeers(t, 3)
  await Promise.all(peers.map((peer) => peer.close()))
  await Promise.all(Array.from({ length: 6 }, () => gate.ask('GET', '/id')))
  const logLine = await gate.logged('the cluster went down: no endpoint is available')
  t.match(logLine, { level: 'error', endpoint: /127/ })
  for (const [method, path] of [
    ['GET', '/id'],
    ['GET', `/pins/${cid}`],
    ['GET', '/pins'],
    ['POST', `/pins/${cid}`],
    ['DELETE', `/pins/${cid}`],
  ] as const) {
    const { status, headers, json } = await gate.ask(method, path)
    t.equal(status, 503, `${method} ${path}`)
    t.equal(headers.get('retry-after'), '5')
    t.same(json, { code: 503, message: 'the cluster is down' })
  }
  const line = await gate.line(({ reason }) => reason === 'cluster-down')
  t.equal(line.outcome, 'fault')
})

t.test('a cluster that is back is used again without intervention', async (t) => {
  const { gate, peers } = await startPeers(t, 1, { health: { ...health, failuresMax: 1 } })
  const [peer] = peers as [FakeCluster]
  await peer.close()
  t.equal((await gate.ask('GET', '/id')).status, 502)
  t.equal((await gate.ask('GET', '/id')).status, 503)
  const address = { port: Number(new URL(peer.url).port), pins: peer.pins }
  const locked = await startFakeCluster({ ...address, username: 'u', password: 'p' })
  const refused = await gate.logged('the cluster refuses the login of the gate')
  t.match(refused, { level: 'error', endpoint: nameOf(peer), reason: 'cluster-auth' })
  await locked.close()
  const again = await startFakeCluster(address)
  t.teardown(() => again.close())
  t.match(await gate.logged('an endpoint of the cluster came back'), { level: 'info' })
  t.equal((await gate.ask('GET', '/id')).status, 200)
})

for (const how of ['check', 'answer'] as const)
  t.test(`each ${how} of an endpoint compares the clocks`, async (t) => {
    const { cluster, client } = await startClusterClient(t, { health })
    const ahead = () => client.current.endpoints[0]?.report.clockAheadMs ?? NaN
    t.equal(ahead(), 0)
    const late = new Date(Date.now() + 3_600_000).toUTCString()
    for (const path of ['/health', '/id'])
      cluster.behave({ path }, { kind: 'status', status: 200, body: '{}', headers: { Date: late } })
    if (how === 'check') await client.probe()
    else await client.current.ask('/id', {}, 1000)
    t.ok(Math.abs(ahead() - 3_600_000) < 30_000, String(ahead()))
  })

t.test('a peer that comes and goes costs no client an answer', async (t) => {
  const { gate, peers } = await startPeers(t, 2, { health: { ...health, failuresMax: 1 } })
  const [first, second] = peers as [FakeCluster, FakeCluster]
  let flapping = first
  for (let turn = 0; turn < 4; turn++) {
    await flapping.close()
    for (let index = 0; index < 3; index++) {
      t.equal((await gate.ask('GET', '/id')).status, 200)
      t.equal((await gate.ask('POST', `/pins/${generatedCid(turn * 3 + index)}`)).status, 200)
    }
    flapping = await startFakeCluster({ port: Number(new URL(first.url).port), pins: second.pins })
  }
  t.teardown(() => flapping.close())
  for (let index = 0; index < 12; index++) t.ok(second.pins.has(generatedCid(index)))
})

t.test('what was written while a peer was down is in doubt once it is back', async (t) => {
  const { gate, peers } = await startPeers(t, 2)
  const [first, second] = peers as [FakeCluster, FakeCluster]
  await first.close()
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200)
  t.equal(second.pins.has(cid), true)
  const before = await gate.ledgerReport()
  const again = await startFakeCluster({ port: Number(new URL(first.url).port) })
  t.teardown(() => again.close())
  await gate.logged('an endpoint of the cluster came back')
  // The doubts follow once the rows are read.
  let after = before
  while (after.doubts <= before.doubts) {
    await setImmediate()
    after = await gate.ledgerReport()
  }
  t.equal(after.doubts, before.doubts + 1)
})

t.test('a listing that fails before its first byte is asked elsewhere', async (t) => {
  const { gate, peers } = await startPeers(t, 2)
  const [first, second] = peers as [FakeCluster, FakeCluster]
  first.addPin(cid)
  first.behave({ path: '/pins' }, { kind: 'reset' })
  second.behave({ path: '/pins' }, { kind: 'status', status: 503 }, 1)
  const failed = await gate.ask('GET', '/pins')
  t.match(failed.status, /^50[23]$/)
  for (let index = 0; index < 3; index++) {
    const { status, text } = await gate.ask('GET', '/pins')
    t.equal(status, 200)
    t.match(text, cid)
  }
})

t.test('a listing that breaks off is never retried', async (t) => {
  const { gate, peers } = await startPeers(t, 2)
  for (const peer of peers) peer.behave({ path: '/pins' }, { kind: 'die-mid-stream' })
  await t.rejects(gate.ask('GET', '/pins'))
  t.equal(peers.flatMap(askedOf).length, 1)
})

t.test(
  'the cluster may be behind a unix socket, and behind a certificate of its own',
  async (t) => {
    // A short path: sockets have no room for those of test folders.
    const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
    t.teardown(() => {
      rmSync(directory, { recursive: true })
    })
    writeFileSync(join(directory, 'ca.pem'), certificate.cert)
    const socket = join(directory, 'cluster.sock')
    const pins = new PinState()
    const [behindSocket, behindTls] = await Promise.all([
      startFakeCluster({ pins, socket }),
      startFakeCluster({ pins, tls: certificate }),
    ])
    t.teardown(() => Promise.all([behindSocket.close(), behindTls.close()]))
    const endpoints = [
      { url: 'http://localhost', socket },
      { url: behindTls.url, caFile: join(directory, 'ca.pem') },
    ]
    const gate = await startGate(t, { cluster: { endpoints, health } })
    t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200)
    for (let index = 0; index < 4; index++) t.equal((await gate.ask('GET', '/id')).status, 200)
    t.same(
      [behindSocket, behindTls].map((peer) => askedOf(peer).length),
      [3, 2],
    )
    t.equal((await gate.line()).endpoint, socket)
  },
)
