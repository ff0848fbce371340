/** The fake cluster as an oracle: what it records, and the faults it makes on demand. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { certificate } from './certificate.js'
import { type FakeCluster, startFakeCluster } from './fake-cluster/index.js'
import { exchange, RawClient, read, statuses } from './raw.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'
const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`

async function start(t: Test): Promise<FakeCluster> {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  return cluster
}

async function open(t: Test, cluster: FakeCluster): Promise<RawClient> {
  const client = await RawClient.to(cluster.url)
  t.teardown(() => client.socket.destroy())
  return client
}

t.test('exact bytes are kept by request and by connection', async (t) => {
  const cluster = await start(t)
  const first =
    `POST /pins/${cid} HTTP/1.1\r\nHOST:x\r\nA: 1\r\na: 2\r\n` + 'Content-Length: 4\r\n\r\nnull'
  const second =
    `DELETE /pins/${cid} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n` +
    '2;x=y\r\nab\r\n0\r\nT: u\r\n\r\n'
  const client = await open(t, cluster)
  const arrival = cluster.nextRequest()
  client.write(first + second.slice(0, -10))
  t.equal((await arrival).method, 'POST')
  await client.until('200 OK')
  client.write(second.slice(-10))
  await client.until(/200 OK[^]*200 OK/)
  const [post, remove] = cluster.requests
  t.equal(post?.raw.toString(), first)
  t.equal(post?.body.toString(), 'null')
  t.equal(post?.target, `/pins/${cid}`)
  t.same(post?.headers, { host: 'x', a: '1, 2', 'content-length': '4' })
  t.same(post?.rawHeaders.slice(0, 4), ['HOST', 'x', 'A', '1'])
  t.equal(remove?.raw.toString(), second)
  t.equal(remove?.body.toString(), 'ab')
  t.equal(cluster.bytes.toString(), first + second)
  t.equal(cluster.openConnections, 1, 'both on one connection')
  cluster.reset()
  t.same([cluster.requests.length, cluster.bytes.length], [0, 0])
})

t.test('a request head may have 8192 bytes and not one more', async (t) => {
  const cluster = await start(t)
  const sized = (bytes: number) => {
    const start = 'GET /id HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: '
    return `${start}${'a'.repeat(bytes - start.length - 4)}\r\n\r\n`
  }
  t.match(await exchange(cluster.url, sized(8192)), /^HTTP\/1.1 200 /)
  const refused = await exchange(cluster.url, sized(8193))
  t.match(refused, /^HTTP\/1.1 431 .*\r\nContent-Type: text\/plain/)
})

t.test('malformed HTTP is 400 in plain text, and recorded as malformed', async (t) => {
  const cluster = await start(t)
  const bad = [
    'hello\r\n\r\n',
    'GET /id HTTP/1.1\r\n\r\n',
    'GET /id HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n',
    'GET /id HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n',
    'POST /id HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'POST /id HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ]
  for (const bytes of bad) {
    t.match(await exchange(cluster.url, bytes), /^HTTP\/1.1 400 Bad Request(?:: .+)?\r\n/, bytes)
    t.equal(cluster.requests.at(-1)?.raw.toString(), bytes)
    t.type(cluster.requests.at(-1)?.malformed, 'string')
  }
  t.match(await exchange(cluster.url, get('/pins/%zz')), /^HTTP\/1.1 400 /)
})

t.test('pipelined requests are answered in order', async (t) => {
  const cluster = await start(t)
  const client = await open(t, cluster)
  client.write(get('/id') + get('/nowhere') + get('/version'))
  await client.until('"version":"1.1.4"}\n')
  await client.until(/{"version":"1.1.4"}\n$/)
  t.same(statuses(client.text), [200, 404, 200])
})

t.test('an error in the stream comes in the trailer, or in a second one', async (t) => {
  const cluster = await start(t)
  for (const [trailers, seen] of [
    [[''], ''],
    [['boom'], 'boom'],
    [['', 'boom'], ', boom'],
  ] as const) {
    const behaviour = { kind: 'stream', lines: 2, bytes: 50, trailers } as const
    cluster.behave({ path: '/pins' }, behaviour, 1)
    const { response, text } = await read(`${cluster.url}/pins`)
    t.equal(response.trailers['x-stream-error'], seen)
    t.same(
      text.split('\n').map((line) => line.length),
      [49, 49, 0],
    )
  }
  t.equal((await read(`${cluster.url}/pins`)).response.statusCode, 204, 'once each')
})

t.test('a stream that dies is seen as cut, in the middle of chunks or of a length', async (t) => {
  const cluster = await start(t)
  for (const kind of ['die-mid-stream', 'die-mid-length'] as const) {
    for (const end of ['fin', 'rst'] as const) {
      const undo = cluster.behave({ path: '/pins' }, { kind, end })
      // A reset can overtake what was sent before it.
      const error = await read(`${cluster.url}/pins`).then(
        (reading) => reading.error,
        (reason: unknown) => reason,
      )
      t.match(error, { code: 'ECONNRESET' }, `${kind} ${end}`)
      undo()
    }
  }
  t.equal((await read(`${cluster.url}/pins`)).response.statusCode, 204)
})

t.test('answers can be refused by FIN, by RST, or be any bytes at all', async (t) => {
  const cluster = await start(t)
  cluster.behave({ path: '/fin' }, { kind: 'hangup' })
  cluster.behave({ path: '/rst' }, { kind: 'reset' })
  cluster.behave({ path: '/raw' }, { kind: 'raw', bytes: 'nonsense' })
  const headers = { 'Retry-After': '1', 'Set-Cookie': ['a', 'b'] }
  cluster.behave({ path: /\?busy$/ }, { kind: 'status', status: 503, headers, body: 'é' })
  cluster.behave({ path: '/until-close' }, { kind: 'close-delimited', body: 'text' })
  const ending = async (target: string) => {
    const client = await open(t, cluster)
    const failed = new Promise<string>((resolve) => {
      client.socket.once('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? '')
      })
      client.socket.once('end', () => {
        resolve('FIN')
      })
    })
    client.write(get(target))
    return [await failed, client.text]
  }
  t.same(await ending('/fin'), ['FIN', ''])
  t.same(await ending('/rst'), ['ECONNRESET', ''])
  t.same(await ending('/raw'), ['FIN', 'nonsense'])
  const [how, text] = await ending('/until-close')
  t.equal(how, 'FIN')
  t.match(text, /\r\n\r\ntext$/)
  t.notMatch(text, /chunked|content-length/i)
  const busy = await read(`${cluster.url}/id?busy`)
  t.match(busy.response, { statusCode: 503, headers: { 'content-length': '2' } })
  t.same(busy.response.headers['set-cookie'], ['a', 'b'])
})

t.test('a stalled request is answered when released, and tells when its peer left', async (t) => {
  const cluster = await start(t)
  const stall = cluster.behave({ path: '/id' }, { kind: 'stall' })
  const staying = await open(t, cluster)
  const leaving = await open(t, cluster)
  const first = cluster.nextRequest()
  leaving.write(get('/id'))
  const left = await first
  const second = cluster.nextRequest()
  staying.write(get('/id'))
  await second
  leaving.socket.destroy()
  await left.aborted
  t.ok(left.isAborted)
  stall.release()
  await staying.until('peername')
  await cluster.connectionsClosed()
  t.notOk((await second).isAborted)
})

t.test('a held request is not executed if abandoned, but is if awaited', async (t) => {
  const cluster = await start(t)
  let release = (): void => undefined
  const until = new Promise<void>((resolve) => (release = resolve))
  cluster.behave({ method: 'POST' }, { kind: 'hold', until })
  const post = `POST /pins/${cid} HTTP/1.1\r\nHost: x\r\n\r\n`
  for (const stays of [false, true]) {
    const client = await open(t, cluster)
    const arrival = cluster.nextRequest()
    client.write(post)
    const request = await arrival
    if (!stays) {
      client.socket.destroy()
      await request.aborted
    }
    if (!stays) t.notOk(cluster.pins.has(cid))
    else {
      release()
      await client.until('200 OK')
    }
  }
  t.ok(cluster.pins.has(cid))
})

t.test('a trickle is written by the test, line by line, before and after it is read', async (t) => {
  const cluster = await start(t)
  const stream = cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  stream.write('{"n":1}\n')
  const client = await open(t, cluster)
  client.write(get('/pins'))
  await client.until('8\r\n{"n":1}\n\r\n')
  stream.write('{"n":2}\n')
  await client.until('8\r\n{"n":2}\n\r\n')
  t.notMatch(client.text, /\r\n0\r\n/)
  stream.end('', 'late')
  await client.until('0\r\nX-Stream-Error: \r\nX-Stream-Error: late\r\n\r\n')
  client.write(get('/id'))
  await client.until('peername')

  cluster.reset()
  const broken = cluster.behave({ path: '/pins' }, { kind: 'trickle' })
  client.write(get('/pins'))
  broken.write('last\n')
  await client.until('last')
  broken.destroy()
  await client.closed
  t.match(client.text, /last\n\r\n$/)
})

t.test('HTTP/1.0 gets neither chunks nor trailers', async (t) => {
  const cluster = await start(t)
  cluster.addPin(cid)
  const text = await exchange(cluster.url, 'GET /pins HTTP/1.0\r\n\r\n')
  t.match(text, /\r\n\r\n{"cid":.*}\n$/)
  t.match(text, /^HTTP\/1.0 200 OK\r\n/)
  t.notMatch(text, /chunked|connection/i)
})

t.test('over TLS it records the plain bytes and can still reset', async (t) => {
  const cluster = await startFakeCluster({ tls: certificate })
  t.teardown(() => cluster.close())
  t.match(cluster.url, /^https:/)
  const client = await open(t, cluster)
  client.write(get('/id'))
  await client.until('peername')
  t.equal(cluster.bytes.toString(), get('/id'))
  cluster.behave({}, { kind: 'reset' })
  const failed = once(client.socket, 'error')
  // `once` rejects on an error only when another event is awaited; here the error is the event.
  client.write(get('/id'))
  t.match(await failed, [{ code: 'ECONNRESET' }])
})

t.test('a slow reader holds a stream back', async (t) => {
  const cluster = await start(t)
  let asked = 0
  const pause = (index: number) => {
    asked = index
    return undefined
  }
  const lines = 200_000
  cluster.behave({ path: '/pins' }, { kind: 'stream', lines, bytes: 1000, pause })
  const client = await open(t, cluster)
  client.socket.pause()
  const arrival = cluster.nextRequest()
  client.write(get('/pins'))
  const request = await arrival
  // Answers to others show that time passes, while the stream stands.
  let before = -1
  while (asked === 0 || asked !== before) {
    before = asked
    await read(`${cluster.url}/id`)
  }
  t.ok(asked < lines / 2, `stopped after ${asked} lines`)
  client.socket.destroy()
  await request.aborted
})

t.test('closing is quick, whatever is in progress', async (t) => {
  const cluster = await start(t)
  cluster.behave({}, { kind: 'stall' })
  const client = await open(t, cluster)
  const arrival = cluster.nextRequest()
  client.write(get('/id'))
  await arrival
  await cluster.close()
  await client.closed
  t.equal(cluster.openConnections, 0)
})
