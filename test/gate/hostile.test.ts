/** What no well-behaved client sends; the oracle is what the cluster received. */
import t, { type Test } from 'tap'
import { askedOf } from '../support/asked.js'
import { exchange, RawClient, statuses } from '../support/raw.js'
import { headersSent, startGate, type TestGate } from '../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

/** Sends each text on a connection of its own: refused with that status, logged, not forwarded. */
async function refuses(
  t: Test,
  gate: TestGate,
  cases: [title: string, bytes: string, status: number][],
) {
  for (const [title, bytes, status] of cases) {
    const before = gate.lines.length
    const client = await RawClient.to(gate.url)
    client.write(bytes)
    const text = await client.until(/\r\n\r\n\{.*\}/s)
    client.socket.destroy()
    t.same(statuses(text), [status], title)
    t.match(text, new RegExp(`\\{"code":${status},"message":".+"\\}\\n$`), title)
    t.match(text, /x-request-id: [0-9a-f-]{36}/i, title)
    await gate.line((line) => text.includes(line.id))
    t.equal(gate.lines.length, before + 1, `${title}: one line`)
    t.match(gate.lines.at(-1), { status, outcome: 'refused' }, title)
  }
  t.equal(gate.cluster.requests.length, 0, 'nothing reached the cluster')
}

t.test(
  'broken messages are answered 400 in the shape of the cluster and never forwarded',
  async (t) => {
    const gate = await startGate(t)
    const auth = `Authorization: ${gate.basic()}\r\n`
    await refuses(t, gate, [
      ['no HTTP', 'hello\r\n\r\n', 400],
      ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
      ['no version', 'GET /id\r\n\r\n', 505],
      ['version 2', `GET /id HTTP/2.0\r\nHost: x\r\n${auth}\r\n`, 505],
      ['unknown method', `FROB /id HTTP/1.1\r\nHost: x\r\n${auth}\r\n`, 400],
      ['a space before the colon', `GET /id HTTP/1.1\r\nHost: x\r\nA : b\r\n${auth}\r\n`, 400],
      ['a folded header', `GET /id HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n${auth}\r\n`, 400],
      ['a NUL in a header', `GET /id HTTP/1.1\r\nHost: x\r\nA: \0\r\n${auth}\r\n`, 400],
      [
        'a control character in the credential',
        'GET /id HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \x01\r\n\r\n',
        400,
      ],
      [
        'two lengths',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 4', 'Content-Length: 5'),
        400,
      ],
      ['a negative length', gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: -1'), 400],
      [
        'length and chunks',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 4', 'Transfer-Encoding: chunked'),
        400,
      ],
      [
        'an empty transfer coding',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Transfer-Encoding:'),
        400,
      ],
      [
        'an unknown transfer coding',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Transfer-Encoding: gzip, chunked'),
        400,
      ],
      [
        'chunked that is not last',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Transfer-Encoding: chunked, gzip'),
        400,
      ],
      [
        'chunks in HTTP/1.0',
        gate.head(`POST /pins/${cid} HTTP/1.0`, 'Transfer-Encoding: chunked'),
        400,
      ],
      ['no Host', `GET /id HTTP/1.1\r\n${auth}\r\n`, 400],
      ['two Hosts', gate.head('GET /id HTTP/1.1', 'Host: other'), 400],
      ['CONNECT', 'CONNECT 127.0.0.1:9094 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
      ['an unknown expectation', gate.head('GET /id HTTP/1.1', 'Expect: the-worst'), 417],
      ['a body on a GET', gate.head('GET /id HTTP/1.1', 'Content-Length: 4') + 'null', 400],
      ['a chunked body on a GET', gate.head('GET /id HTTP/1.1', 'Transfer-Encoding: chunked'), 400],
      [
        'a content type that is none',
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Type: ;;', 'Content-Length: 4') + 'null',
        415,
      ],
    ])
  },
)

t.test('ambiguous paths are refused', async (t) => {
  const gate = await startGate(t)
  const paths = [
    `/pins/${cid}%2Frecover`,
    `/pins/${cid}%2frecover`,
    `/pins/..%2fid`,
    '/pins/../id',
    '/pins/%2e%2e/id',
    '/./id',
    '/%2e/id',
    '/id%00',
    '/id\\',
    '/pins%5Cx',
    '/%zz',
    '/%c3%28',
    '/id#x',
    'http://127.0.0.1:9094/id',
    'id',
    '*',
  ]
  await refuses(
    t,
    gate,
    paths.map((path) => [path, gate.head(`GET ${path} HTTP/1.1`), 400]),
  )
})

t.test('ambiguous queries are refused', async (t) => {
  const gate = await startGate(t)
  const queries = ['name=a&name=b', 'name=a;mode=direct', 'name=%zz', 'name=%ff', 'Name=a', 'x=1']
  await refuses(
    t,
    gate,
    queries.map((query) => [query, gate.head(`POST /pins/${cid}?${query} HTTP/1.1`), 400]),
  )
})

t.test('oversized parts are refused with the matching status', async (t) => {
  const gate = await startGate(t)
  await refuses(t, gate, [
    ['headers', gate.head('GET /id HTTP/1.1', `A: ${'a'.repeat(30_000)}`), 431],
    ['header lines', gate.head('GET /id HTTP/1.1', ...Array<string>(70).fill('A: b')), 431],
    [
      'thousands of header lines',
      gate.head('GET /id HTTP/1.1', ...Array<string>(3000).fill('A:b')),
      431,
    ],
    ['request target', gate.head(`GET /${'a'.repeat(21_000)} HTTP/1.1`), 414],
    [
      'credential',
      `GET /id HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${'A'.repeat(30_000)}\r\n\r\n`,
      431,
    ],
    [
      'body',
      gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 2000') + 'x'.repeat(2000),
      413,
    ],
    ['declared body', gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 99999999999'), 413],
    [
      'chunked body',
      gate.head(`POST /pins/${cid} HTTP/1.1`, 'Transfer-Encoding: chunked') +
        `800\r\n${'x'.repeat(2048)}\r\n`,
      413,
    ],
  ])
})

t.test('100 CIDs fit into a query, however they are written', async (t) => {
  const gate = await startGate(t)
  const longest = 'bafybeidskjjd4zmr7oh6ku6wp72vvbxyibcli2r6if3ocdcy7jjjusvl2u'
  const list = Array<string>(100).fill(longest).join(',')
  const escaped = Buffer.from(list).toString('hex').replace(/../g, '%$&')
  for (const written of [list, encodeURIComponent(list), escaped])
    t.equal((await gate.ask('GET', `/pins?cids=${written}`)).status, 200)
  t.equal(new Set(gate.cluster.requests.map(({ target }) => target)).size, 1)
})

t.test('a refusal with a body still to come closes the connection', async (t) => {
  const gate = await startGate(t)
  const text = await exchange(
    gate.url,
    `POST /pins/${cid} HTTP/1.1\r\nHost: x\r\nContent-Length: 300000000\r\n\r\n${'x'.repeat(1000)}`,
  )
  t.same(statuses(text), [401])
  t.match(text, /connection: close/i)
})

t.test('small bodies are read, dropped, and leave the connection usable', async (t) => {
  const gate = await startGate(t)
  const bodies = [
    ['Content-Length: 4', 'null'],
    ['Content-Length: 2', '{}'],
    ['Content-Length: 0', ''],
    ['Transfer-Encoding: chunked', '4\r\nnull\r\n0\r\n\r\n'],
  ]
  const client = await RawClient.to(gate.url)
  let seen = 0
  for (const [header = '', body = ''] of bodies) {
    client.write(gate.head(`POST /pins/${cid} HTTP/1.1`, header, 'Content-Type: text/x') + body)
    seen++
    await client.until(new RegExp(`(HTTP/1.1 200[^]*){${seen}}\\n$`))
  }
  client.socket.destroy()
  t.same(statuses(client.text), [200, 200, 200, 200])
  t.same(askedOf(gate.cluster), Array(4).fill(`POST /pins/${cid}`))
  t.ok(gate.cluster.requests.every((request) => request.body.length === 0))
})

t.test('pipelined requests are answered in order, and a bad one ends the line', async (t) => {
  const gate = await startGate(t)
  const text = await exchange(
    gate.url,
    gate.head('GET /id HTTP/1.1') +
      gate.head(`GET /pins/${cid} HTTP/1.1`) +
      'BROKEN\r\n\r\n' +
      gate.head(`DELETE /pins/${cid} HTTP/1.1`),
  )
  t.same(statuses(text), [200, 200, 400])
  t.same(
    gate.cluster.requests.map((request) => request.method),
    ['GET', 'GET'],
  )
  t.same(gate.lines.map((line) => line.status).sort(), [200, 200, 400])
})

t.test('a request hidden in the body of another stays hidden', async (t) => {
  const gate = await startGate(t)
  const hidden = gate.head(`DELETE /pins/${cid} HTTP/1.1`)
  const client = await RawClient.to(gate.url)
  client.write(gate.head(`POST /pins/${cid} HTTP/1.1`, `Content-Length: ${hidden.length}`) + hidden)
  await client.until(/\}\n$/)
  client.write(gate.head('GET /id HTTP/1.1', 'Connection: close'))
  t.same(statuses(await client.all()), [200, 200])
  t.same(askedOf(gate.cluster), [`POST /pins/${cid}`, 'GET /id'])
})

t.test('hop-by-hop headers of the client have no effect and are not forwarded', async (t) => {
  const gate = await startGate(t)
  const lines = [
    'Connection: close, X-Request-Id, Authorization',
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Trailer: X',
    'Upgrade: h2c',
    'Proxy-Connection: x',
  ]
  const text = await exchange(gate.url, gate.head('GET /id HTTP/1.1', ...lines))
  t.same(statuses(text), [200])
  const [received] = gate.cluster.requests
  t.same(Object.keys(received?.headers ?? {}).sort(), headersSent)
})

t.test('Expect: 100-continue is answered and the request proceeds', async (t) => {
  const gate = await startGate(t)
  const client = await RawClient.to(gate.url)
  client.write(
    gate.head(
      `POST /pins/${cid} HTTP/1.1`,
      'Content-Length: 4',
      'Expect: 100-continue',
      'Connection: close',
    ),
  )
  await client.until('100 Continue')
  client.write('null')
  t.same(statuses(await client.all()), [100, 200])
  t.same(askedOf(gate.cluster), [`POST /pins/${cid}`])
})

t.test('an upgrade is ignored: the request is answered without it', async (t) => {
  const gate = await startGate(t)
  const text = await exchange(
    gate.url,
    gate.head('GET /id HTTP/1.1', 'Connection: Upgrade, close', 'Upgrade: websocket'),
  )
  t.same(statuses(text), [200])
})

t.test('HTTP/1.0 works, without keep-alive', async (t) => {
  const gate = await startGate(t)
  const text = await exchange(
    gate.url,
    `GET /id HTTP/1.0\r\nAuthorization: ${gate.basic()}\r\n\r\n`,
  )
  t.same(statuses(text), [200])
})
