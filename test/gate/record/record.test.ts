/** The log: exactly one line for each request, whatever happened, and never a secret in it. */
import http from 'node:http'
import t from 'tap'
import type { AccessLine } from '../../../src/log/access-line.js'
import { generateKey } from '../../../src/settings/keyring/key.js'
import { exchange, RawClient } from '../../support/raw.js'
import { startGate } from '../../support/start-gate.js'

const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

t.test('a line has the documented fields, in their order, and the id of the answer', async (t) => {
  const gate = await startGate(t)
  const answer = await gate.ask('POST', `/pins/${cid}`, {
    body: 'null',
    headers: { 'user-agent': 'axios/1.7.7' },
  })
  const line = await gate.line()
  t.equal(line.id, answer.headers.get('x-request-id'))
  t.equal(line.id, gate.cluster.requests[0]?.headers['x-request-id'])
  t.match(line, {
    encoder: 'alpha',
    keyId: 'k1',
    client: '127.0.0.1',
    method: 'POST',
    path: `/pins/${cid}`,
    route: '/pins/:cid',
    permission: 'pin',
    cid,
    status: 200,
    outcome: 'answered',
    upstreamStatus: 200,
    userAgent: 'axios/1.7.7',
  })
  t.ok(line.durationMs >= (line.upstreamMs ?? Infinity))
  t.ok(line.bytesIn > 100 && line.bytesOut > 100)
  const written = (await gate.logText())
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as { readonly msg: string })
    .find(({ msg }) => msg === 'request')
  t.match(written, { ...line, level: 'info', msg: 'request', time: /^\d{4}-.*Z$/ })
})

t.test('five hundred requests of every sort give exactly five hundred lines', async (t) => {
  const gate = await startGate(t, { cluster: { idTimeoutMs: 1000 } })
  gate.cluster.behave({ path: '/pins/bafkqaaa' }, { kind: 'reset' })
  gate.cluster.behave({ path: '/pins', method: 'GET' }, { kind: 'die-mid-stream' })
  const leaving = async (bytes: string) => {
    const client = await RawClient.to(gate.url)
    const seen = gate.cluster.nextRequest()
    client.write(bytes)
    await seen
    client.socket.destroy()
  }
  const sorts: (() => Promise<unknown>)[] = [
    () => gate.ask('GET', '/id'),
    () => gate.ask('POST', `/pins/${cid}`, { body: 'null' }),
    () => gate.ask('DELETE', `/pins/${cid}`),
    () => gate.ask('GET', `/pins/${cid}`),
    () => fetch(`${gate.url}/id`),
    () => gate.ask('GET', '/id', { headers: { authorization: 'Bearer nonsense' } }),
    () => gate.ask('GET', '/nowhere'),
    () => gate.ask('PUT', '/id'),
    () => gate.ask('POST', '/pins/recover'),
    () => gate.ask('POST', '/pins/not-a-cid'),
    () => gate.ask('POST', `/pins/${cid}?expire-in=bad`),
    () => gate.ask('GET', '/pins/bafkqaaa'),
    () => gate.ask('GET', '/pins').catch(() => undefined),
    () => exchange(gate.url, 'nonsense\r\n\r\n'),
    () => exchange(gate.url, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    () => exchange(gate.url, gate.head('GET /%zz HTTP/1.1', 'Connection: close')),
    () => exchange(gate.url, gate.head('GET /id HTTP/1.1', `A: ${'a'.repeat(30_000)}`)),
    () => exchange(gate.url, 'GET /id HTTP/1.1\r\nConnection: close\r\n\r\n'),
    () => exchange(gate.url, 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'),
    () => exchange(gate.url, gate.head('GET /id HTTP/1.1', 'Expect: x')),
    () => exchange(gate.url, gate.head('GET /id HTTP/1.0')),
    () =>
      exchange(
        gate.url,
        gate.head(`POST /pins/${cid} HTTP/1.1`, 'Transfer-Encoding: chunked') + 'zz\r\n',
      ),
    () => exchange(gate.url, gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 9999') + 'x'),
    async () => (await RawClient.to(gate.url)).socket.destroy(),
    () => leaving(gate.head(`GET /pins/${cid} HTTP/1.1`)),
  ]
  const silent = 1
  const rounds = Math.ceil(500 / (sorts.length - silent))
  let expected = 0
  for (let round = 0; round < rounds; round++) {
    for (const [index, sort] of sorts.entries()) {
      const isSilent = index === sorts.length - 2
      if (!isSilent && expected === 500) continue
      if (!isSilent) expected++
      await sort()
    }
  }
  while (gate.lines.length < expected)
    await gate.line((line) => gate.lines.indexOf(line) === expected - 1)
  await gate.close()
  t.equal(expected, 500)
  t.equal(gate.lines.length, 500)
  t.equal(new Set(gate.lines.map((line) => line.id)).size, 500, 'each with an id of its own')
  t.ok(gate.lines.every((line) => Number.isInteger(line.status) && line.status >= 200))
  const counts: Record<string, number> = {}
  for (const { outcome, reason = '' } of gate.lines) {
    const sort = `${outcome} ${reason}`
    counts[sort] = (counts[sort] ?? 0) + 1
  }
  t.comment(counts)
  const written = (await gate.logText()).split('\n')
  t.equal(written.filter((line) => line.includes('"outcome":')).length, 500)
})

t.test('a connection without a byte is not a request', async (t) => {
  const gate = await startGate(t)
  const client = await RawClient.to(gate.url)
  client.socket.destroy()
  await gate.ask('GET', '/id')
  await gate.close()
  t.equal(gate.lines.length, 1)
})

t.test('a request that the client cuts off in its head or body has its line', async (t) => {
  const gate = await startGate(t)
  const cut = async (bytes: string) => {
    const client = await RawClient.to(gate.url)
    client.socket.end(bytes)
    await client.closed
  }
  await cut('GET /id HTT')
  t.match(await gate.line(), { outcome: 'refused', reason: 'malformed-request' })
  await cut(gate.head(`POST /pins/${cid} HTTP/1.1`, 'Content-Length: 10') + 'nu')
  await gate.line((line) => line.method === 'POST')
  t.equal(gate.lines.length, 2)
  t.equal(gate.cluster.requests.length, 0)
})

t.test('a connection that is reset under a request adds no line to its own', async (t) => {
  const gate = await startGate(t)
  for (const method of ['GET', 'POST']) {
    const stalled = gate.cluster.behave({ method }, { kind: 'stall' })
    const client = await RawClient.to(gate.url)
    const arrived = gate.cluster.nextRequest()
    client.write(gate.head(`${method} /pins/${cid} HTTP/1.1`))
    await arrived
    client.socket.resetAndDestroy()
    // By the time this is answered the gate has seen the reset.
    await gate.ask('DELETE', '/nowhere')
    stalled.release()
    const ofMethod = (line: AccessLine) => line.method === method
    t.match(await gate.line(ofMethod), { status: 499, reason: 'client-left' }, method)
  }
  await gate.close()
  t.same(gate.lines.map((line) => line.method).sort(), ['DELETE', 'DELETE', 'GET', 'POST'])
})

t.test('no secret appears in the log, wherever a client puts it', async (t) => {
  const gate = await startGate(t)
  const secrets = [gate.keys.alpha ?? '', generateKey(), generateKey().toUpperCase()]
  for (const secret of secrets) {
    const escaped = Buffer.from(secret).toString('hex').replace(/../g, '%$&')
    const auths = [
      `Basic ${btoa(`alpha:${secret}`)}`,
      `Basic ${btoa(`${secret}:`)}`,
      `Basic ${btoa(`${secret}:x`)}`,
      `Bearer ${secret}`,
      secret,
      `Digest ${secret}`,
    ]
    const heads = [
      `GET /id?key=${secret} HTTP/1.1`,
      `GET /${secret} HTTP/1.1`,
      `GET /pins/${secret}?${secret}=${secret} HTTP/1.1`,
      `GET /${escaped} HTTP/1.1`,
      `GET http://alpha:${secret}@gate/id HTTP/1.1`,
      `GET /id/http://alpha:${secret}@gate/id HTTP/1.1`,
      `GET /id#${secret} HTTP/1.1`,
      `POST /pins/${cid}?name=${secret}&meta-${secret}=1 HTTP/1.1`,
      `${secret.slice(0, 20)} /id HTTP/1.1`,
      `GET /id ${secret}`,
    ]
    for (const head of heads) {
      for (const auth of auths) {
        const lines = [
          head,
          `Host: ${secret}`,
          `Authorization: ${auth}`,
          `User-Agent: ${secret}`,
          `Cookie: ${secret}`,
          `Referer: http://x/${secret}`,
          `X-Request-Id: ${secret}`,
          `X-Forwarded-For: ${secret}`,
          `${secret}: x`,
          'Connection: close',
        ]
        await exchange(gate.url, `${lines.join('\r\n')}\r\n\r\n${secret}`)
      }
    }
  }
  const text = await gate.logText()
  t.ok(gate.lines.length >= 180)
  for (const secret of secrets) {
    t.notMatch(text, secret.slice(3), 'not whole')
    t.notMatch(text, secret.slice(3, 20), 'not in part')
    t.notMatch(text, btoa(`alpha:${secret}`).slice(0, 40), 'not encoded')
  }
})

t.test('text from a client is bounded and escaped', async (t) => {
  const gate = await startGate(t)
  await exchange(
    gate.url,
    gate.head(
      `GET /${'a'.repeat(3000)} HTTP/1.1`,
      `User-Agent: ${'\t"\u00e9'.repeat(100)}`,
      'Connection: close',
    ),
  )
  const line = await gate.line()
  t.equal(line.path.length, 256)
  t.ok((line.userAgent ?? '').length <= 128)
  t.notMatch(await gate.logText(), '\t')
})

t.test('keep-alive connections count their bytes for each request', async (t) => {
  const gate = await startGate(t)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => {
    agent.destroy()
  })
  const ask = () =>
    new Promise<void>((resolve) => {
      http.get(
        `${gate.url}/id`,
        { agent, headers: { authorization: gate.basic() } },
        (response) => {
          response.resume().on('end', resolve)
        },
      )
    })
  await ask()
  await ask()
  await gate.line((line) => gate.lines.indexOf(line) === 1)
  const [first, second] = gate.lines
  t.equal(first?.bytesIn, second?.bytesIn)
})
