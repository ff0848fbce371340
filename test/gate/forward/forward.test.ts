/** Phase 4: what the cluster gets, and how its answers and faults come back. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { AccessLine } from '../../../src/log/access-line.js'
import { asked, withoutStateReads } from '../../support/asked.js'
import { generatedCid } from '../../support/fake-cluster/index.js'
import { RawClient, read, statuses } from '../../support/raw.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const cidV1 = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'

const askRaw = (gate: TestGate, path: string) =>
  read(gate.url + path, { authorization: gate.basic() })

/** All but the checks whether it is up. */
const requestsOf = ({ cluster }: TestGate) =>
  cluster.requests.filter(({ target }) => !/^\/(health|version)$/.test(target))

t.test(
  'each operation reaches the cluster rebuilt: canonical, without body or credential',
  async (t) => {
    const gate = await startGate(t, {
      encoders: { ops: { role: 'operator', options: ['replication'] } },
    })
    gate.cluster.addPin(generatedCid(1))
    const upper = `B${cidV1.slice(1).toUpperCase()}`
    const cases: [ask: string, sent: string][] = [
      ['GET /id', 'GET /id'],
      [`GET /pins/${cid}`, `GET /pins/${cid}`],
      [`GET /pins/${cid}?local=true`, `GET /pins/${cid}?local=true`],
      [`GET /pins/${cid}?local=false`, `GET /pins/${cid}`],
      [`GET /pins/%51${cid.slice(1)}`, `GET /pins/${cid}`],
      [`GET /pins/${upper}`, `GET /pins/${cidV1}`],
      [`GET /pins?cids=${cid},${upper}`, `GET /pins?cids=${cid}%2C${cidV1}`],
      ['GET /pins?filter=error,%20queued', 'GET /pins?filter=error%2Cqueued'],
      ['GET /pins', 'GET /pins'],
      ['GET /pins?local=false&filter=&cids=', 'GET /pins'],
      [`POST /pins/${cid}`, `POST /pins/${cid}`],
      [`POST //pins//${cid}/`, `POST /pins/${cid}`],
      [`POST /pins/ipfs/${cid}`, `POST /pins/${cid}`],
      [
        `POST /pins/ipfs/${cid}?mode=recursive&name=&replication-max=0&replication-min=0&shard-size=0&user-allocations=`,
        `POST /pins/${cid}?mode=recursive`,
      ],
      [
        `POST /pins/${cid}?name=a+b&meta-x=%C3%A9&expire-at=2999-01-01T00:00:00.5Z&replication-min=1&replication-max=2`,
        `POST /pins/${cid}?name=a%20b&meta-x=%C3%A9&replication-min=1&replication-max=2&expire-at=2999-01-01T00%3A00%3A01Z`,
      ],
      [`POST /pins/${cid}/recover?local=false`, `POST /pins/${cid}/recover`],
      ['POST /pins/recover', 'POST /pins/recover'],
      [`DELETE /pins/${cid}`, `DELETE /pins/${cid}`],
      [`DELETE /pins/ipfs/${cid}`, `DELETE /pins/${cid}`],
      [`POST /pins/ipfs/${upper}/a%20b`, `POST /pins/ipfs/${cidV1}/a%20b`],
      ['POST /pins/ipns/example.org/x', 'POST /pins/ipns/example.org/x'],
    ]
    for (const [ask, sent] of cases) {
      const [method = '', path = ''] = ask.split(' ')
      const body = method === 'POST' ? 'null' : undefined
      await gate.ask(method, path, { as: 'ops', ...(body !== undefined && { body }) })
      const received = withoutStateReads(gate.cluster).at(-1)
      t.equal(received && asked(received), sent, ask)
      t.equal(received?.body.length, 0, `${ask}: no body`)
      t.notOk(received?.headers.authorization, `${ask}: no credential`)
      t.match(gate.lines.at(-1), { id: received?.headers['x-request-id'] }, `${ask}: same id`)
    }
    t.equal(withoutStateReads(gate.cluster).length, cases.length)
  },
)

t.test('forbidden requests are refused and do not reach the cluster', async (t) => {
  const gate = await startGate(t, {
    enforcement: 'enforce',
    encoders: {
      reader: { role: 'reader' },
      ops: { role: 'operator' },
      less: { deny: ['unpin'] },
      more: { role: 'reader', allow: ['pin'] },
    },
  })
  const cases: [as: string, ask: string, status: number][] = [
    ['reader', `POST /pins/${cid}`, 403],
    ['reader', `DELETE /pins/${cid}`, 403],
    ['reader', `GET /pins/${cid}`, 200],
    ['more', `POST /pins/${cid}`, 200],
    ['less', `DELETE /pins/${cid}`, 403],
    ['less', `POST /pins/${cid}`, 200],
    ['alpha', 'POST /pins/recover', 403],
    ['alpha', `POST /pins/ipfs/${cid}/x`, 403],
    ['alpha', 'POST /pins/ipns/example.org', 403],
    ['alpha', `POST /pins/${cid}?replication=2`, 403],
    ['ops', `POST /pins/${cid}?origins=%2Fip4%2F127.0.0.1`, 403],
    ['ops', 'GET /version', 404],
    ['ops', 'GET /peers', 404],
    ['ops', 'POST /peers', 404],
    ['ops', 'POST /add', 404],
    ['ops', 'GET /allocations', 404],
    ['ops', `GET /allocations/${cid}`, 404],
    ['ops', 'POST /ipfs/gc', 404],
    ['ops', 'GET /health', 404],
    ['ops', 'GET /health/graph', 404],
    ['ops', 'GET /monitor/metrics', 404],
    ['ops', 'POST /token', 404],
    ['ops', 'GET /', 404],
    ['ops', 'GET /ID', 404],
    ['ops', 'POST /id', 405],
    ['ops', 'DELETE /pins', 405],
    ['ops', 'HEAD /id', 405],
    ['ops', 'OPTIONS /pins', 405],
    ['ops', `PUT /pins/${cid}`, 405],
  ]
  for (const [as, ask, status] of cases) {
    const [method = '', path = ''] = ask.split(' ')
    const before = withoutStateReads(gate.cluster).length
    const answer = await gate.ask(method, path, { as })
    t.equal(answer.status, status, `${as}: ${ask}`)
    t.equal(
      withoutStateReads(gate.cluster).length - before,
      status === 200 ? 1 : 0,
      `${as}: ${ask} upstream`,
    )
    if (status !== 200 && method !== 'HEAD') t.match(answer.json, { code: status, message: String })
    if (status === 405) t.match(answer.headers.get('allow'), /GET|POST/)
  }
})

t.test("none of the cluster's headers pass, except type, length and trailer", async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave(
    { path: '/id' },
    {
      kind: 'status',
      status: 200,
      headers: {
        Server: 'x',
        'Set-Cookie': 'a=b',
        'X-Powered-By': 'y',
        'Content-Type': 'application/json',
        'Cache-Control': 'public',
      },
      body: '{}\n',
    },
  )
  const { headers } = await gate.ask('GET', '/id')
  t.same([...headers.keys()].sort(), [
    'connection',
    'content-length',
    'content-type',
    'date',
    'keep-alive',
    'ratelimit',
    'ratelimit-policy',
    'x-request-id',
  ])
})

t.test("the cluster's own errors pass unchanged", async (t) => {
  const gate = await startGate(t)
  const missing = await gate.ask('DELETE', `/pins/${cid}`)
  t.equal(missing.status, 404)
  t.equal(missing.text, '{"code":404,"message":"pin is not part of the pinset"}\n')
  t.match(gate.lines.at(-1), { status: 404, outcome: 'answered', upstreamStatus: 404 })
})

t.test(
  'an empty listing is 204, though its Trailer header would kill a careless proxy',
  async (t) => {
    const gate = await startGate(t)
    const answer = await gate.ask('GET', '/pins')
    t.equal(answer.status, 204)
    t.equal(answer.text, '')
    t.equal((await gate.ask('GET', '/id')).status, 200, 'and the gate lives on')
  },
)

t.test(
  'lines are delivered as they arrive, and so is the trailer: empty after a success',
  async (t) => {
    const gate = await startGate(t)
    gate.cluster.addPin(cid)
    const { response, text, error } = await askRaw(gate, '/pins')
    t.equal(error, undefined)
    t.equal(response.statusCode, 200)
    t.match(JSON.parse(text), { cid })
    t.equal(response.headers.trailer, 'X-Stream-Error')
    t.same(response.trailers, { 'x-stream-error': '' })
  },
)

t.test('faults before an answer are reported in fixed sentences, without addresses', async (t) => {
  const gate = await startGate(t, { cluster: { idTimeoutMs: 1000, writeTimeoutMs: 1000 } })
  const cases: [
    behaviour: Parameters<TestGate['cluster']['behave']>[1],
    status: number,
    reason: string,
  ][] = [
    [{ kind: 'reset' }, 502, 'cluster-hung-up'],
    [{ kind: 'hangup' }, 502, 'cluster-hung-up'],
    [{ kind: 'stall' }, 504, 'cluster-timeout'],
    [{ kind: 'raw', bytes: 'nonsense\r\n\r\n', end: 'fin' }, 502, 'cluster-bad-answer'],
    [
      { kind: 'status', status: 301, headers: { Location: '/pins/x' }, body: '' },
      502,
      'cluster-redirect',
    ],
    [
      { kind: 'status', status: 307, headers: { Location: 'http://evil/' }, body: '' },
      502,
      'cluster-redirect',
    ],
    [
      {
        kind: 'status',
        status: 401,
        headers: { 'WWW-Authenticate': 'Basic realm="x"' },
        body: '{}',
      },
      502,
      'cluster-auth',
    ],
    [
      { kind: 'status', status: 503, headers: { 'Retry-After': '1' }, body: 'busy' },
      503,
      'cluster-unavailable',
    ],
    [
      { kind: 'status', status: 502, headers: { 'Content-Type': 'text/html' }, body: '<html>' },
      503,
      'cluster-unavailable',
    ],
    [{ kind: 'status', status: 418, headers: {}, body: 'teapot' }, 502, 'cluster-bad-answer'],
  ]
  for (const [behaviour, status, reason] of cases) {
    for (const [method, path] of [
      ['GET', '/id'],
      ['POST', `/pins/${cid}`],
    ] as const) {
      gate.cluster.reset()
      gate.cluster.behave({}, behaviour)
      const answer = await gate.ask(method, path)
      const title = `${method} ${reason} ${JSON.stringify(behaviour).slice(0, 60)}`
      t.equal(answer.status, status, title)
      t.match(answer.json, { code: status, message: /^[a-z ,]+$/ }, title)
      t.notMatch(answer.text, /127\.0\.0\.1|evil|ECONN/, title)
      t.match(gate.lines.at(-1), { status, outcome: 'fault', reason }, title)
      // A connection that ended may have ended before the question came.
      const times = reason === 'cluster-hung-up' ? 2 : 1
      t.equal(requestsOf(gate).length, times, `${title}: how often it was asked`)
    }
  }
})

t.test('an unreachable cluster is 502', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address() as AddressInfo
  closed.close()
  await once(closed, 'close')
  const gate = await startGate(t, { clusterUrl: `http://127.0.0.1:${port}` })
  const answer = await gate.ask('POST', `/pins/${cid}`)
  t.same(
    [answer.status, answer.json],
    [502, { code: 502, message: 'the cluster cannot be reached' }],
  )
  t.match(gate.lines.at(-1), {
    reason: 'cluster-unreachable',
    outcome: 'fault',
    upstreamError: /ECONNREFUSED/,
  })
})

t.test('a cluster that dies inside an answer is never a clean end', async (t) => {
  const gate = await startGate(t)
  const body = '{"cid":"x"}\n{"cid":'
  for (const behaviour of [{ kind: 'die-mid-stream' }, { kind: 'die-mid-length', body }] as const) {
    const { kind } = behaviour
    gate.cluster.reset()
    gate.cluster.behave({ path: '/pins' }, behaviour)
    const { error } = await askRaw(gate, '/pins')
    t.match(error, { code: 'ECONNRESET' }, kind)
    t.match(await gate.line((line) => line.reason === 'cluster-cut'), {
      outcome: 'fault',
      status: 200,
    })
  }
})

t.test(
  'unknown is not empty: a listing without a line is a fault, also of named pins',
  async (t) => {
    const gate = await startGate(t)
    gate.cluster.behave({ path: '/pins' }, { kind: 'status', status: 200, body: '' })
    t.equal((await gate.ask('GET', '/pins')).status, 502)
    t.equal((await gate.ask('GET', `/pins?cids=${cid}`)).status, 502)
  },
)

t.test('an answer without length or chunks is a fault: its end cannot be trusted', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave(
    { path: '/pins' },
    { kind: 'close-delimited', body: '{"cid":"x"}\n', end: 'fin' },
  )
  const answer = await gate.ask('GET', '/pins')
  t.equal(answer.status, 502)
  t.match(gate.lines.at(-1), { reason: 'cluster-bad-answer' })
})

/** Asks for statuses by name, and waits for the first of them. */
async function streamed(gate: TestGate) {
  const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const client = await RawClient.to(gate.url)
  client.write(gate.head(`GET /pins?cids=${cid} HTTP/1.1`))
  const received = await gate.cluster.nextRequest()
  stream.write(`{"cid":"${cid}","n":1,"peer_map":{}}\n`)
  await client.until('"n":1')
  return { client, received }
}

t.test(
  'a client that abandons a read frees the cluster immediately, before and after its headers',
  async (t) => {
    const gate = await startGate(t)
    gate.cluster.behave({ path: '/pins' }, { kind: 'stall' })
    const before = new AbortController()
    const asked = gate.ask('GET', `/pins?cids=${cid}`, { signal: before.signal })
    const received = await gate.cluster.nextRequest()
    before.abort()
    await t.rejects(asked)
    await received.aborted
    t.match(await gate.line(), { status: 499, outcome: 'aborted', reason: 'client-left' })

    gate.cluster.reset()
    const { client, received: streaming } = await streamed(gate)
    client.socket.destroy()
    await streaming.aborted
    t.match(await gate.line((line) => line.status === 200), {
      outcome: 'aborted',
      reason: 'client-left',
    })
  },
)

t.test('statuses by name that come without end are cut, and free their place', async (t) => {
  const gate = await startGate(t, { cluster: { statusTimeoutMs: 1000 } })
  const { client, received } = await streamed(gate)
  await Promise.all([received.aborted, client.closed])
  t.match(await gate.line(), { status: 200, outcome: 'fault', reason: 'cluster-cut' })
  gate.cluster.reset()
  const half = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  const asked = gate.ask('GET', `/pins?cids=${cid}`)
  await gate.cluster.nextRequest()
  half.write('{"cid"')
  t.equal((await asked).status, 502, 'before the first line it is an answer')
  t.match(await gate.line((line) => line.status === 502), { reason: 'cluster-cut' })
})

t.test('an abandoned write finishes, and its line has the outcome', async (t) => {
  const gate = await startGate(t)
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  gate.cluster.behave({ method: 'POST' }, { kind: 'hold', until })
  const leave = new AbortController()
  const asked = gate.ask('POST', `/pins/${cid}`, { signal: leave.signal })
  await gate.cluster.nextRequest()
  leave.abort()
  await t.rejects(asked)
  // By the time this is answered the gate has seen the other leave.
  await gate.ask('GET', '/id')
  const isWrite = (line: AccessLine) => line.method === 'POST'
  t.notOk(gate.lines.some(isWrite), 'no line while it is in flight')
  release()
  t.match(await gate.line(isWrite), { status: 499, reason: 'client-left', upstreamStatus: 200 })
  t.equal((await gate.ask('GET', `/pins/${cid}`)).status, 200)
  t.ok(gate.cluster.pins.has(cid), 'the pin is there')
})

t.test('hung recoveries of everything hold up nothing else, and waiting is bounded', async (t) => {
  const ops = { role: 'operator' }
  const gate = await startGate(t, {
    cluster: { listingConnections: 2, queueMax: 1 },
    encoders: { alpha: ops, beta: ops, gamma: ops },
  })
  gate.cluster.behave({ path: '/pins/recover' }, { kind: 'stall' })
  const leave = new AbortController()
  const hung = ['alpha', 'beta', 'gamma'].map((as) =>
    gate.ask('POST', '/pins/recover', { as, signal: leave.signal }),
  )
  while (gate.cluster.requests.length < 2) await gate.cluster.nextRequest()
  // The third waits; once the gate has read it, the fourth finds the queue full.
  await gate.ask('GET', '/id')
  const busy = await gate.ask('POST', '/pins/recover')
  t.equal(busy.status, 503)
  t.equal(busy.headers.get('retry-after'), '1')
  t.match(busy.json, { code: 503 })
  t.equal((await gate.ask('POST', `/pins/${cid}`)).status, 200, 'pins go on')
  leave.abort()
  t.same(
    (await Promise.allSettled(hung)).map(({ status }) => status),
    Array(3).fill('rejected'),
  )
})

t.test(
  'an HTTP/1.0 client is served without chunks, and an error in the stream cuts it',
  async (t) => {
    const gate = await startGate(t)
    const head = `GET /pins HTTP/1.0\r\nAuthorization: ${gate.basic()}\r\n\r\n`
    gate.cluster.addPin(cid)
    const fine = await RawClient.to(gate.url)
    const text = await fine.write(head).all()
    t.same(statuses(text), [200])
    t.notMatch(text, /chunked|trailer/i)
    t.match(text, /"cid":"Qm/)

    const stream = gate.cluster.behave({ path: '/pins' }, { kind: 'trickle' })
    const client = await RawClient.to(gate.url)
    const errors: unknown[] = []
    client.socket.on('error', (error) => errors.push(error))
    client.write(head)
    stream.write('{"n":1}\n')
    await client.until('"n":1')
    stream.end('boom')
    await client.closed
    t.match(errors, [{ code: 'ECONNRESET' }])
    t.match(await gate.line((line) => line.streamError !== undefined), { streamError: 'boom' })
  },
)

t.test('the gate names itself to the cluster', async (t) => {
  const gate = await startGate(t)
  await gate.ask('GET', '/id')
  t.match(gate.cluster.requests.at(-1)?.headers, {
    'user-agent': 'pinwarden/test',
    accept: 'application/json',
  })
})

t.test('a cluster with basic auth gets the credential of the gate, from a file', async (t) => {
  const gate = await startGate(t, { clusterLogin: { username: 'gate', password: 's3cret' } })
  t.equal((await gate.ask('GET', '/id')).status, 200)
  t.equal(gate.cluster.requests[0]?.headers.authorization, `Basic ${btoa('gate:s3cret')}`)
  t.notMatch(await gate.logText(), /s3cret|Z2F0ZTpz/)
})

t.test('a trace is taken from the client, or generated, and forwarded', async (t) => {
  const gate = await startGate(t)
  const id = '4bf92f3577b34da6a3ce929d0e0e4736'
  const cases: [given: string | undefined, isTakenOver: boolean, flags: string][] = [
    [`00-${id}-00f067aa0ba902b7-01`, true, '01'],
    [undefined, false, '00'],
    ['nonsense', false, '00'],
    [`00-${id}-0000000000000000-01`, false, '00'],
    [`ff-${id}-00f067aa0ba902b7-01`, false, '00'],
  ]
  for (const [given, isTakenOver, flags] of cases) {
    await gate.ask('GET', '/id', { headers: given === undefined ? {} : { traceparent: given } })
    const sent = gate.cluster.requests.at(-1)?.headers.traceparent ?? ''
    const [, trace = '', span = ''] = /^00-(\w{32})-(\w{16})-/.exec(sent) ?? []
    t.equal(trace === id, isTakenOver, given ?? 'none')
    t.not(span, '00f067aa0ba902b7', 'the gate is the parent')
    t.ok(sent.endsWith(`-${flags}`))
    t.equal(gate.lines.at(-1)?.traceId, trace)
  }
})

t.test(
  'a cluster that breaks off right after its headers is a fault, with a message',
  async (t) => {
    const gate = await startGate(t)
    const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n\r\n'
    gate.cluster.behave({ path: '/pins' }, { kind: 'raw', bytes: head })
    for (const path of ['/pins', `/pins?cids=${cid}`]) {
      const answer = await gate.ask('GET', path)
      t.equal(answer.status, 502, path)
      t.same(answer.json, { code: 502, message: 'the cluster broke off its answer' })
      t.equal(answer.headers.get('cache-status'), null)
    }
    t.match(gate.lines, [{ outcome: 'fault', reason: 'cluster-cut', status: 502 }])
  },
)

t.test('a single value arrives whole and byte by byte, however it came', async (t) => {
  const gate = await startGate(t)
  gate.cluster.addPin(cid, { name: `ä€🚀${'x'.repeat(3000)}` })
  const direct = await (await fetch(`${gate.cluster.url}/pins/${cid}`)).text()
  const answer = await gate.ask('GET', `/pins/${cid}`)
  t.equal(answer.text, direct)
  t.equal(answer.headers.get('content-length'), String(Buffer.byteLength(direct)))
  t.equal(answer.headers.get('transfer-encoding'), null)
})

t.test('an answer that breaks off, or never ends, is only a fault', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ path: '/id' }, { kind: 'die-mid-length' })
  const cut = await gate.ask('GET', '/id')
  t.equal(cut.status, 502)
  t.same(cut.json, { code: 502, message: 'the cluster broke off its answer' })
  gate.cluster.reset()
  gate.cluster.behave({ path: '/id' }, { kind: 'stream', lines: 10_000, bytes: 1000 })
  const endless = await gate.ask('GET', '/id')
  t.equal(endless.status, 502)
  t.same(endless.json, { code: 502, message: 'unexpected answer from the cluster' })
})

t.test('an answer that is too slow is given up in time, also after its headers', async (t) => {
  const gate = await startGate(t, { cluster: { idTimeoutMs: 1000 } })
  const bytes = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":'
  gate.cluster.behave({ path: '/id' }, { kind: 'raw', bytes, end: 'keep' })
  const asked = gate.ask('GET', '/id')
  const received = await gate.cluster.nextRequest()
  const answer = await asked
  t.equal(answer.status, 504)
  t.same(answer.json, { code: 504, message: 'the cluster did not answer in time' })
  await received.aborted
})
