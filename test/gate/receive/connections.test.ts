/** Places for connections: who holds them, who makes room, and what ends a stranger's. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { HandshakeBudget } from '../../../src/gate/receive/handshake-budget.js'
import { PiecewiseReader } from '../../../src/http/piecewise.js'
import { clock } from '../../support/clock.js'
import { has } from '../../support/exposition.js'
import { head, RawClient, statuses } from '../../support/raw.js'
import { startGate, type TestGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const bare = head('GET /id HTTP/1.1', 'Host: x')
const ended = (reason: string) => `pinwarden_connections_ended_total{reason="${reason}"}`

/** A connection that has shown a valid key, and stays. */
async function signedIn(gate: TestGate): Promise<RawClient> {
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1'))
  await client.until(/\}\n$/)
  return client
}

async function stays(t: Test, gate: TestGate, client: RawClient) {
  const answers = statuses(client.text).length
  client.write(gate.head('GET /id HTTP/1.1', 'Connection: close'))
  t.same(statuses(await client.all()).slice(answers), [200], 'it is still served')
}

t.test("a stranger's connection ends with its fifth refusal", async (t) => {
  const gate = await startGate(t)
  const client = await RawClient.to(gate.url)
  const text = await client.write(bare.repeat(1000)).all()
  t.same(statuses(text), [401, 401, 401, 401, 401])
  t.equal(text.match(/connection: close/gi)?.length, 1)
  t.equal(gate.lines.length, 5, 'what follows is not read')
  await has(t, gate.metrics, { [ended('refused-often')]: 1 })
})

t.test('a valid key resets the count of refusals', async (t) => {
  const gate = await startGate(t)
  const client = await RawClient.to(gate.url)
  const four = bare.repeat(4)
  client.write(four + gate.head('GET /id HTTP/1.1') + four + gate.head('GET /id HTTP/1.1') + four)
  client.write(bare)
  t.same(statuses(await client.all()).filter((status) => status === 200).length, 2)
  t.equal(gate.lines.length, 15)
})

t.test('over the budget of failures a connection ends with its first refusal', async (t) => {
  const gate = await startGate(t, { limits: { failures: { max: 2 } } })
  const first = await (await RawClient.to(gate.url)).write(bare.repeat(1000)).all()
  t.same(statuses(first), [401, 401, 429])
  const second = await (await RawClient.to(gate.url)).write(bare.repeat(1000)).all()
  t.same(statuses(second), [429])
  t.equal((await gate.ask('GET', '/id')).status, 200, 'a good key passes')
})

t.test('a trusted proxy brings the refusals of many, and is kept', async (t) => {
  const listen = { trustProxy: ['127.0.0.0/8'], connectionsMax: 1 }
  const gate = await startGate(t, { listen, limits: { failures: { max: 2 } } })
  const client = await RawClient.to(gate.url)
  const from = (address: string) =>
    head('GET /id HTTP/1.1', 'Host: x', `X-Forwarded-For: ${address}`)
  client.write(from('192.0.2.1').repeat(6) + from('192.0.2.2'))
  await client.until(/(?:HTTP\/1.1 [^]*?\}\n){7}$/)
  t.same(statuses(client.text), [401, 401, 429, 429, 429, 429, 401], 'a budget for each address')
  await stays(t, gate, client)
})

t.test('a pipelined burst is processed one by one, with separate figures', async (t) => {
  const gate = await startGate(t, { limits: { reads: { max: 3, windowSeconds: 60 }, inFlight: 1 } })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1').repeat(4) + gate.head(`DELETE /pins/${cid} HTTP/1.1`))
  await client.until(/(?:HTTP\/1.1 [^]*?\}\n){5}$/)
  t.same(statuses(client.text), [200, 200, 200, 429, 404])
  const figures = [...client.text.matchAll(/^ratelimit: "(\w+)";r=(\d+)/gim)]
  t.same(figures.map(([, budget, left]) => `${budget ?? ''} ${left ?? ''}`).slice(0, 4), [
    'reads 2',
    'reads 1',
    'reads 0',
    'reads 0',
  ])
  client.socket.destroy()
})

t.test('a client that pipelines thousands has few of them in flight', async (t) => {
  const gate = await startGate(t)
  const stalled = gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1').repeat(2000))
  await gate.cluster.nextRequest()
  await has(t, gate.metrics, { pinwarden_requests_in_flight: 1 })
  stalled.release()
  stalled()
  await gate.line(() => gate.lines.length >= 30)
  client.socket.destroy()
  await client.closed
})

t.test('a client that pipelines and leaves frees the cluster immediately', async (t) => {
  const gate = await startGate(t)
  gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
  const client = await RawClient.to(gate.url)
  client.write(gate.head('GET /id HTTP/1.1').repeat(300))
  const received = await gate.cluster.nextRequest()
  client.socket.destroy()
  await received.aborted
  t.match(await gate.line(), { status: 499, reason: 'client-left' })
  t.equal(gate.cluster.requests.length, 1, 'and what had no turn is not asked')
})

t.test(
  'a client that takes nothing of its answers is cut off, one that waits is not',
  async (t) => {
    const gate = await startGate(t, {
      listen: { stallMs: 1000 },
      listing: { stallMs: 1000 },
    })
    gate.cluster.addPin(cid)
    const asked = gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
    const waiting = await RawClient.to(gate.url)
    waiting.write(gate.head('GET /pins HTTP/1.1') + gate.head('GET /id HTTP/1.1'))
    await gate.line(({ path }) => path === '/pins')

    // More than the buffers of the system take.
    const body = JSON.stringify({ cid, name: 'x'.repeat(4_000_000), peer_map: {} })
    const headers = { 'content-type': 'application/json' }
    gate.cluster.behave({ path: `/pins/${cid}` }, { kind: 'status', status: 200, headers, body })
    const stalled = await RawClient.to(gate.url)
    stalled.socket.pause()
    stalled.write(gate.head(`GET /pins/${cid} HTTP/1.1`).repeat(10))
    t.match(await gate.line(({ reason }) => reason === 'client-stalled'), { status: 200 })
    asked.release()
    t.match(await gate.line(({ path }) => path === '/id'), { status: 200, outcome: 'answered' })
    waiting.socket.destroy()
    stalled.socket.destroy()
  },
)

t.test('what is broken behind a request does not cost that request its answer', async (t) => {
  const gate = await startGate(t, { listen: { headersTimeoutMs: 1000, requestTimeoutMs: 1000 } })
  const pin = (...headers: string[]) => gate.head(`POST /pins/${cid} HTTP/1.1`, ...headers)
  const cases: readonly (readonly [behind: string, statuses: readonly number[]])[] = [
    [gate.head('GET /id HTTP/1.1', 'No colon'), [200, 400]],
    ['GET /id HTTP/1.1\r\nHost: sl', [200, 408]],
    [pin('Content-Length: 9') + 'short', [200, 408]],
    [pin('Content-Length: 9', 'Connection: close') + 'short', [200, 408]],
    [pin('Transfer-Encoding: chunked', 'Connection: close') + 'what\r\n', [200, 400]],
    [pin('Content-Length: 2', 'Connection: close') + `ok${bare}`, [200, 200]],
  ]
  const stalled = gate.cluster.behave({ path: '/id' }, { kind: 'stall' })
  const asked = gate.cluster.nextRequest()
  const clients = await Promise.all(cases.map(() => RawClient.to(gate.url)))
  for (const [index, [behind]] of cases.entries())
    clients[index]?.write(gate.head('GET /id HTTP/1.1') + behind)
  await asked
  // Node ends messages that are late, the oldest first.
  const witness = await RawClient.to(gate.url)
  t.same(statuses(await witness.write('GET /id HTTP/1.1\r\nHost: sl').all()), [408])
  t.same([...new Set(clients.map(({ text }) => text))], [''], 'none is answered')
  stalled.release()
  for (const [index, [behind, expected]] of cases.entries())
    t.same(statuses((await clients[index]?.all()) ?? ''), expected, behind)
})

t.test('nothing after refused framing is executed', async (t) => {
  const gate = await startGate(t)
  const recover = gate.head(`POST /pins/${cid}/recover HTTP/1.1`)
  const chunked = ['Transfer-Encoding: chunked', 'Connection: keep-alive']
  for (const first of [
    gate.head(`POST /pins/${cid} HTTP/1.0`, ...chunked) + '0\r\n\r\n',
    gate.head(`POST /pins/${cid} HTTP/1.1`, 'Host: other'),
    gate.head('GET /id HTTP/1.1', 'Expect: the-worst'),
    gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 99999', 'Authorization: x'),
    head('CONNECT x:1 HTTP/1.1', 'Host: x'),
    'BROKEN\r\n\r\n',
  ]) {
    const client = await RawClient.to(gate.url)
    const answers = statuses(await client.write(first + recover).all())
    t.equal(answers.length, 1, first.slice(0, 60))
    t.ok((answers[0] ?? 0) >= 400)
  }
  t.equal(gate.cluster.requests.length, 0)
})

t.test('nothing after a request with Connection: close is executed', async (t) => {
  const gate = await startGate(t)
  const client = await RawClient.to(gate.url)
  const bytes = gate.head('GET /id HTTP/1.1', 'Connection: close') + gate.head('GET /id HTTP/1.1')
  t.same(statuses(await client.write(bytes).all()), [200])
  t.equal(gate.cluster.requests.length, 1)
})

for (const [of, listen] of [
  ['in all', { connectionsMax: 3 }],
  ['of an address', { connectionsPerAddressMax: 3 }],
] as const) {
  t.test(`when places ${of} run out, the longest idle stranger is closed`, async (t) => {
    const gate = await startGate(t, { listen })
    const first = await RawClient.to(gate.url)
    const second = await RawClient.to(gate.url)
    // It asked later than the other: the other has been idle for longer.
    await first.write(bare).until('401')
    const encoder = await signedIn(gate)
    const late = await signedIn(gate)
    await second.closed
    t.notOk(first.socket.closed)
    const later = await signedIn(gate)
    await first.closed
    t.equal(gate.lines.filter(({ encoder }) => encoder === undefined).length, 1, 'no line for it')
    await has(t, gate.metrics, { [ended('place-taken')]: 2 })

    const tooMany = await RawClient.to(gate.url)
    t.equal(await tooMany.all(), '', 'no place of those who are in')
    t.match(await gate.line((line) => line.reason === 'too-many-connections'), {
      client: '127.0.0.1',
      status: 503,
    })
    for (const client of [encoder, late, later]) await stays(t, gate, client)
  })
}

t.test('an encoder with all places makes room for another one', async (t) => {
  const gate = await startGate(t, { listen: { connectionsMax: 8 }, encoders: { beta: {} } })
  const many = []
  for (let count = 0; count < 7; count++) many.push(await signedIn(gate))
  const beta = await RawClient.to(gate.url)
  const ask = (...fields: string[]) =>
    head('GET /id HTTP/1.1', 'Host: x', `Authorization: ${gate.basic('beta')}`, ...fields)
  await beta.write(ask()).until(/\}\n$/)
  await many[0]?.closed
  t.ok(
    many.slice(1).every(({ socket }) => !socket.closed),
    'the longest idle one only',
  )
  await has(t, gate.metrics, {
    [ended('over-share')]: 1,
    'pinwarden_connections{kind="authenticated"}': 7,
  })
  t.same(statuses(await beta.write(ask('Connection: close')).all()), [200, 200])
  for (const { socket } of many) socket.destroy()
})

t.test(
  'TLS handshakes in progress are bounded for each address, and the oldest is closed',
  async (t) => {
    const gate = await startGate(t, { tls: true, listen: { connectionsPerAddressMax: 8 } })
    const encoder = await signedIn(gate)
    const begin = async () => {
      const socket = connect(gate.port, '127.0.0.1').on('error', () => undefined)
      await new Promise((resolve) => socket.once('connect', resolve))
      return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
    }
    const shaking = []
    for (let count = 0; count < 4; count++) shaking.push(await begin())
    await Promise.all([shaking[0]?.closed, shaking[1]?.closed])
    t.notOk(shaking[3]?.socket.closed)
    const other = await signedIn(gate)
    await has(t, gate.metrics, {
      [ended('handshake-bound')]: 3,
      'pinwarden_connections{kind="authenticated"}': 2,
    })
    await stays(t, gate, encoder)
    await stays(t, gate, other)
    t.same(
      gate.lines.map(({ status }) => status),
      [200, 200, 200, 200],
      'no line for handshakes',
    )
    for (const { socket } of shaking) socket.destroy()
  },
)

t.test('while the log is behind, strangers are not read, and encoders are', async (t) => {
  const file = join(t.testdir(), 'log')
  execFileSync('mkfifo', [file])
  const pipe = openSync(file, constants.O_RDWR | constants.O_NONBLOCK)
  // Slower than a busy machine writes.
  const page = Buffer.alloc(1024)
  let isDrained = false
  const readSome = (): void => {
    try {
      do readSync(pipe, page)
      while (isDrained)
    } catch {
      // Nothing is left to read.
    }
  }
  // It moves, so it has not stalled.
  const reader = setInterval(readSome, 100)
  t.teardown(() => {
    isDrained = true
    readSome()
    clearInterval(reader)
    closeSync(pipe)
  })
  const gate = await startGate(t, { log: { file, bufferBytesMax: 65_536 } })
  const encoder = await signedIn(gate)
  const askSome = async (): Promise<void> => {
    const answers = statuses(encoder.text).length + 20
    encoder.write(gate.head('GET /id HTTP/1.1', `User-Agent: ${'x'.repeat(128)}`).repeat(20))
    while (statuses(encoder.text).length < answers) await once(encoder.socket, 'grown')
  }
  let stranger: RawClient
  do {
    stranger = await RawClient.to(gate.url)
    stranger.write(bare)
    await askSome()
    await askSome()
  } while (stranger.text !== '')
  await askSome()
  t.equal(stranger.text, '', 'it waits, as the log does')
  const { length } = gate.lines.filter(({ encoder }) => encoder === undefined)
  isDrained = true
  await stranger.until(/\}\n$/)
  t.match(statuses(stranger.text), [/401|429/])
  t.equal(gate.lines.filter(({ encoder }) => encoder === undefined).length, length + 1)
  encoder.socket.destroy()
})

t.test(
  'handshakes of all strangers together have a rate, and known networks none of it',
  async (t) => {
    const { monotonic, turn } = clock()
    const budget = new HandshakeBudget(128, monotonic)
    const network = (n: number) => `network-${n}`
    t.ok(budget.take('known'))
    budget.giveBack('known')
    const all = Array.from({ length: 4095 }, (_, n) => budget.take(network(n)))
    t.notOk(all.includes(false))
    t.notOk(budget.take(network(5000)), 'too many addresses')
    t.ok(budget.take('known'), 'a good key came from there')
    await turn(1000)
    let back = 0
    while (budget.take(network(6000 + back))) back++
    t.equal(back, 512, 'an eighth each second')
    let own = 0
    while (budget.take('known')) own++
    t.equal(own, 128, 'it has its own bound all the same')
    await turn(1000)
    while (budget.take('known')) own++
    t.equal(own, 2 * 128, 'all of it each second, as an old key may come from there as well')
  },
)

t.test('what a client sends is parsed in a few pieces a turn, and all of it', async (t) => {
  const { port, turns, bytes } = await pieces(t)
  const client = connect(port, '127.0.0.1')
  client.write('x'.repeat(300_000))
  await once(client.resume(), 'close')
  t.equal(await bytes, 300_000)
  t.ok(
    turns.every((count) => count <= 8),
    turns.join(),
  )
})

/** A server that counts the pieces of each turn of the event loop. */
async function pieces(t: Test) {
  const turns: number[] = []
  const { promise: bytes, resolve } = Promise.withResolvers<number>()
  const server = createServer((socket) => {
    new PiecewiseReader(socket).goOn()
    let [count, size] = [0, 0]
    socket.on('data', (piece: Buffer) => {
      size += piece.length
      if (count++ === 0)
        setImmediate(() => {
          turns.push(count)
          count = 0
        })
      if (size === 300_000) {
        resolve(size)
        socket.destroy()
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, turns, bytes }
}
