/** What may come of a cluster, or of what stands before it: passed over, asked again, or a fault. */
import t from 'tap'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import {
  type FakeCluster,
  generatedCid,
  startFakeCluster,
} from '../../support/fake-cluster/index.js'
import { startGate } from '../../support/start-gate.js'

const cid = generatedCid(1)
const other = generatedCid(2)
const path = `/pins/${cid}`

const close = 'Connection: close'
const idText = '{"id":"x","cluster_peers":["x"]}\n'
const answered = (body: string, ...headers: readonly string[]): string =>
  ['HTTP/1.1 200 OK', `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join(
    '\r\n',
  )

t.test('interim answers are skipped, however they are split and whatever is asked', async (t) => {
  const gate = await startGate(t)
  const { cluster } = gate
  const interims = [
    'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nX-Y: z\r\n\r\n',
  ]
  for (const interim of interims) {
    const undo = cluster.behave(
      { path: '/id' },
      { kind: 'raw', bytes: interim + answered(idText, close) },
    )
    t.match(await gate.ask('GET', '/id'), { status: 200, text: idText }, interim)
    undo()
    const record = `{"cid":"${cid}","type":"pin"}\n`
    const stop = cluster.behave(
      { method: 'POST' },
      { kind: 'raw', bytes: interim + answered(record, close) },
    )
    t.match(await gate.ask('POST', path), { status: 200, text: record }, interim)
    stop()
    const line = `{"cid":"${cid}","peer_map":{}}\n`
    const end = cluster.behave(
      { path: '/pins' },
      { kind: 'raw', bytes: interim + answered(line, close) },
    )
    t.match(await gate.ask('GET', '/pins'), { status: 200, text: line }, interim)
    end()
  }
})

/** Answers by hand, connection by connection. */
async function startServer(
  t: Parameters<typeof startGate>[0],
  answer: (head: string, socket: Socket) => void,
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      answer(bytes.toString('latin1'), socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('an interim answer that arrives byte by byte is also skipped', async (t) => {
  const clusterUrl = await startServer(t, (_head, socket) => {
    const bytes = 'HTTP/1.1 100 Continue\r\n\r\n' + answered(idText)
    void (async () => {
      for (const byte of bytes) {
        socket.write(byte)
        await new Promise(setImmediate)
      }
    })()
  })
  const gate = await startGate(t, { clusterUrl })
  t.match(await gate.ask('GET', '/id'), { status: 200, text: idText })
})

t.test('a cluster that closes each connection after its answer is up', async (t) => {
  for (const headers of [[close], []]) {
    let count = 0
    const clusterUrl = await startServer(t, (head, socket) => {
      count++
      const asked = /^\w+ \/(?:pins|allocations)\/(\w+)/.exec(head)?.[1]
      const body = asked === undefined ? idText : `{"cid":"${asked}","peer_map":{}}\n`
      socket.end(answered(body, ...headers))
    })
    const gate = await startGate(t, {
      clusterUrl,
      cluster: { connections: 2, health: { intervalMs: 3_600_000, failuresMax: 5 } },
    })
    const cids = Array.from({ length: 60 }, (_, index) => generatedCid(index))
    const answers = await Promise.all(cids.map((each) => gate.ask('GET', `/pins/${each}`)))
    t.same(new Set(answers.map(({ status }) => status)), new Set([200]), headers.join())
    t.match(await gate.ask('GET', '/id'), { status: 200 })
    t.match(gate.endpoints, [{ state: 'up' }])
    t.ok(count >= 61)
    await gate.close()
  }
})

t.test('a connection that closes as a GET is sent costs no client an answer, once', async (t) => {
  const gate = await startGate(t)
  const { cluster } = gate
  for (const target of ['/id', path, '/pins', `/pins?cids=${cid}`]) {
    cluster.addPin(cid)
    const undo = cluster.behave({}, { kind: 'hangup' }, 1)
    t.match(await gate.ask('GET', target), { status: 200 }, target)
    undo()
    const always = cluster.behave({}, { kind: 'hangup' })
    t.match(await gate.ask('GET', target), { status: 502 }, `${target}, always`)
    always()
  }
  const before = cluster.requests.length
  const undo = cluster.behave({ method: 'POST' }, { kind: 'hangup' }, 1)
  t.match(await gate.ask('POST', path), { status: 502 }, 'a write may have been done')
  undo()
  t.equal(cluster.requests.slice(before).filter(({ method }) => method === 'POST').length, 1)
})

/**
 * Answers each request from another cluster, and closes the connections of writes without a word as
 * the next write is on its way.
 */
async function closingAsWritten(t: Parameters<typeof startGate>[0], cluster: FakeCluster) {
  const ofWrites = new Set<Socket>()
  let reads = 0
  const server = createHttpServer((request, response) => {
    const { method = 'GET', url = '/', socket } = request
    void fetch(cluster.url + url, { method }).then(async (answer) => {
      const body = await answer.text()
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body)
      // A read of the ledger's own may come while a write waits: that connection stays.
      if (method !== 'GET') ofWrites.add(socket)
      if (!url.startsWith('/allocations')) return
      // The gate writes once it has read the record; how soon depends on the machine.
      const closed = [...ofWrites]
      ofWrites.clear()
      setTimeout(() => {
        for (const each of closed) each.end()
      }, reads++ % 4)
    })
  })
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('a write meets no connection that the cluster is about to close', async (t) => {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const clusterUrl = await closingAsWritten(t, cluster)
  const gate = await startGate(t, { clusterUrl, enforcement: 'enforce' })
  const statuses: number[] = []
  for (let n = 0; n < 48; n++) {
    const target = `/pins/${generatedCid(n >> 1)}`
    statuses.push((await gate.ask(n % 2 === 0 ? 'POST' : 'DELETE', target)).status)
  }
  // The first that meets one teaches the gate what this cluster does.
  t.ok(statuses.filter((status) => status !== 200).length <= 1, statuses.join())
  t.match(gate.endpoints, [{ state: 'up' }])
})

t.test('an encoded answer was not requested, and is a bad answer', async (t) => {
  const gate = await startGate(t)
  const { cluster } = gate
  cluster.addPin(cid)
  await gate.ask('GET', '/id')
  await gate.ask('GET', '/pins')
  for (const { headers } of cluster.requests) t.equal(headers['accept-encoding'], 'identity')
  const body = gzipSync(idText).toString('latin1')
  for (const target of ['/id', path, '/pins', `/pins?cids=${cid}`])
    for (const coding of ['content-encoding', 'transfer-encoding']) {
      const headers =
        coding === 'content-encoding' ? { [coding]: 'gzip' } : { [coding]: 'gzip, chunked' }
      const undo = cluster.behave({}, { kind: 'status', status: 200, headers, body })
      t.match(await gate.ask('GET', target), { status: 502 }, `${target} ${coding}`)
      undo()
    }
})

const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`

/** Of a status; each is a 502 of that one request, and nothing else. */
const bad = [
  'not json\n',
  'null\n',
  '[]\n',
  '7\n',
  '\n',
  '{"cid":"\n',
  '{}\n',
  '{"cid":null,"peer_map":{}}\n',
  '{"cid":["a"],"peer_map":{}}\n',
  `{"cid":"${other}","peer_map":{}}\n`,
  `{"cid":"${cid}","peer_map":{},"cid":"${other}"}\n`,
  `{"cid":"${cid}"\n`,
  deep,
]

t.test('an answer to a different request is a fault of that one request', async (t) => {
  const gate = await startGate(t, {
    cluster: { health: { intervalMs: 3_600_000, failuresMax: 5 } },
  })
  const { cluster } = gate
  for (const body of bad) {
    for (const [method, target] of [
      ['GET', path],
      ['GET', `/pins?cids=${cid}`],
      ['POST', path],
      ['DELETE', path],
      ['POST', `${path}/recover`],
    ] as const) {
      const undo = cluster.behave({ method }, { kind: 'status', status: 200, body })
      const answer = await gate.ask(method, target)
      t.match(
        answer,
        { status: 502, json: { code: 502 } },
        `${method} ${target}: ${body.slice(0, 40)}`,
      )
      undo()
    }
  }
  const undo = cluster.behave({}, { kind: 'status', status: 204 })
  t.match(await gate.ask('GET', path), { status: 502 }, 'nothing')
  undo()
  t.match(await gate.ask('GET', '/id'), { status: 200 })
  t.match(gate.endpoints, [{ state: 'up' }], 'the endpoint answers others')
  t.equal(gate.lines.length, bad.length * 5 + 2, 'each has its line')
})

t.test('odd fields in an answer about the right pin break nothing', async (t) => {
  const gate = await startGate(t, { enforcement: 'enforce', unpin: { graceSeconds: 60 } })
  const { cluster } = gate
  const former = '"metadata":{"pinwarden.former.x":"y"}'
  const statuses = [
    `{"cid":"${cid}",${former},"peer_map":null}`,
    `{"cid":"${cid}",${former},"peer_map":7}`,
    `{"cid":"${cid}",${former},"peer_map":{"a":null,"__proto__":{"status":[]},"constructor":7}}`,
    `{"cid":"${cid}",${former},"peer_map":${deep}}`,
    `{"cid":"${cid}","metadata":["pinwarden.lease.x"],"peer_map":{}}`,
    `{"cid":"${cid}","metadata":{"pinwarden.lease.x":7},"peer_map":{}}`,
  ]
  for (const body of statuses)
    for (const target of [path, `/pins?cids=${cid}`, '/pins']) {
      const undo = cluster.behave({}, { kind: 'status', status: 200, body: `${body}\n` })
      const { status, text } = await gate.ask('GET', target)
      t.ok([200, 502].includes(status), `${target}: ${body.slice(0, 90)}: ${status}`)
      if (status === 200) t.notMatch(text, '"pinwarden.former', target)
      undo()
    }
  const record = (fields: object) => ({
    ...{ replication_factor_min: -1, replication_factor_max: -1, name: '', mode: 'recursive' },
    ...{ shard_size: 0, expire_at: '0001-01-01T00:00:00Z', metadata: {}, origins: null, cid },
    ...{ type: 'pin', timestamp: '2025-05-16T10:06:40Z', ...fields },
  })
  for (const fields of [
    { metadata: { 'pinwarden.lease.x': 7 } },
    { metadata: ['x'] },
    { metadata: 7 },
    { name: null },
    { origins: 'x' },
    { origins: [7] },
    { timestamp: 'yesterday' },
    { expire_at: 'tomorrow' },
    { replication_factor_min: '1' },
    { shard_size: null },
    { cid: other },
  ]) {
    const body = `${JSON.stringify(record(fields))}\n`
    const undo = cluster.behave(
      { path: `/allocations/${cid}` },
      { kind: 'status', status: 200, body },
    )
    t.match(await gate.ask('POST', path), { status: 502 }, JSON.stringify(fields))
    undo()
  }
  t.notOk(
    cluster.requests.some(({ method }) => method === 'POST'),
    'nothing was written',
  )
  t.match(await gate.ask('POST', path), { status: 200 })
})

t.test('encoders get back what they sent: leases are not shown', async (t) => {
  const gate = await startGate(t, {
    enforcement: 'enforce',
    encoders: { beta: { options: ['pin-update'] }, ops: { role: 'operator' } },
    listing: { maxAgeMs: 0 },
  })
  const name = '{"pinwarden.lease.x":"y"},"metadata":{}'
  const metadata = 'meta-a=%22pinwarden.lease.z%22%3A%22q%22&meta-z=,'
  const query = `?name=${encodeURIComponent(name)}&${metadata}`
  const sent = { a: '"pinwarden.lease.z":"q"', z: ',' }
  const posted = await gate.ask('POST', path + query)
  t.match(posted.json, { name, metadata: sent })
  await gate.ask('POST', path, { as: 'beta' })
  await gate.ask('POST', `/pins/${other}`)
  for (const as of ['alpha', 'beta', 'ops'])
    for (const target of [path, '/pins', `/pins?cids=${cid}`, '/pins?filter=pinned']) {
      const { text } = await gate.ask('GET', target, { as })
      const line = text.split('\n').find((each) => each.includes(cid)) ?? ''
      const json = JSON.parse(line) as { name: string; metadata: object }
      t.same([json.name, json.metadata], [name, sent], `${as} ${target}`)
    }
  const bare = await gate.ask('GET', `/pins/${other}`)
  t.equal((bare.json as { metadata: unknown }).metadata, null, 'none was sent')
  const renewed = await gate.ask('POST', `/pins/${other}`)
  t.same((renewed.json as { metadata: unknown }).metadata, {})
  const updated = await gate.ask('POST', `/pins/${generatedCid(3)}?pin-update=${cid}`, {
    as: 'beta',
  })
  t.match(updated, { status: 200, json: { metadata: sent } })
  t.notMatch(updated.text, /[{,]"pinwarden\./)
  const recovered = await gate.ask('POST', `${path}/recover`)
  t.match(recovered.json, { metadata: sent })
  const released = await gate.ask('DELETE', path)
  t.match(released, { status: 200, json: { metadata: sent } })
  t.notMatch(released.text, /[{,]"pinwarden\./)
  const kept = [...(gate.cluster.pins.get(cid)?.metadata?.keys() ?? [])]
  t.ok(kept.some((key) => key.startsWith('pinwarden.lease.')))
})

t.test('new settings of the cluster cost no request that waits for a place', async (t) => {
  const gate = await startGate(t, { cluster: { connections: 1 } })
  const stalled = gate.cluster.behave({ path: /^\/pins\// }, { kind: 'stall' })
  const asks = [1, 2, 3].map((index) => gate.ask('GET', `/pins/${generatedCid(index)}`))
  while (gate.endpoints[0]?.load !== 3) await new Promise(setImmediate)
  gate.replace({ cluster: { connections: 1, statusTimeoutMs: 9000 } })
  t.match(await gate.ask('GET', '/id'), { status: 200 }, 'those after them have other places')
  stalled.release()
  for (const asked of asks) t.equal((await asked).status, 200)
})

t.test('a stop ends what a former cluster has not answered, and each has its line', async (t) => {
  const gate = await startGate(t, { cluster: { connections: 1 }, listen: { shutdownMs: 1000 } })
  gate.cluster.behave({ method: 'POST' }, { kind: 'stall' })
  const asks = [1, 2, 3].map((index) => gate.ask('POST', `/pins/${generatedCid(index)}`))
  const isSent = () => gate.cluster.requests.some(({ method }) => method === 'POST')
  while (!isSent() || gate.endpoints[0]?.load !== 3) await new Promise(setImmediate)
  const cluster = { connections: 1, statusTimeoutMs: 9000 }
  gate.replace({ cluster, listen: { shutdownMs: 1000 } })
  const ends = Promise.allSettled(asks)
  await gate.close()
  await ends
  t.equal(gate.lines.length, 3)
})

t.test('statuses that hang leave pins, and statuses of others, untouched', async (t) => {
  const gate = await startGate(t, {
    cluster: { connections: 8, queueMax: 8 },
    encoders: { beta: {}, gamma: {} },
  })
  const { cluster } = gate
  const mine = generatedCid(1000)
  cluster.addPin(mine)
  const hanging = Array.from({ length: 40 }, (_, index) => generatedCid(index))
  cluster.behave({ method: 'GET', path: new RegExp(hanging.join('|')) }, { kind: 'stall' })
  const leave = new AbortController()
  const asks = hanging.map((each, index) => {
    const as = index % 2 === 0 ? 'alpha' : 'beta'
    const ask = gate.ask('GET', `/pins/${each}`, { as, signal: leave.signal })
    return ask.then(({ status }) => status).catch(() => 'left')
  })
  await cluster.nextRequest()
  t.match(await gate.ask('POST', `/pins/${mine}`, { as: 'gamma' }), { status: 200 })
  t.match(await gate.ask('GET', `/pins/${mine}`, { as: 'gamma' }), { status: 200 })
  t.match(await gate.ask('GET', '/id', { as: 'gamma' }), { status: 200 })
  leave.abort()
  const ends = await Promise.all(asks)
  t.ok(ends.includes(503), 'who asks more than its share reads that the cluster is busy')
  const gone = () => gate.lines.filter(({ outcome }) => outcome === 'aborted').length
  while (gone() < ends.filter((end) => end === 'left').length)
    await gate.ask('GET', '/id', { as: 'gamma' })
  t.match(await gate.ask('GET', `/pins/${mine}`), { status: 200 }, 'and has places again')
})
