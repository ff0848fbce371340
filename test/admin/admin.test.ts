/** The admin listener answers its few requests, and only callers that may ask. */
import t from 'tap'
import { exchange, head, RawClient, statuses } from '../support/raw.js'
import { startAdmin, tcp } from './start-admin.js'

t.test('each path has its answer', async (t) => {
  const admin = await startAdmin(t, { status: () => ({ version: '1.2.3', encoders: 4 }) })
  const health = await admin.ask('GET', '/healthz')
  t.equal(health.status, 200)
  t.same(JSON.parse(health.text), { healthy: true })
  const status = await admin.ask('GET', '/status')
  t.equal(status.status, 200)
  t.match(status.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
  t.same(JSON.parse(status.text), { version: '1.2.3', encoders: 4 })
  const metrics = await admin.ask('GET', '/metrics')
  t.equal(metrics.status, 200)
  t.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  t.match(metrics.text, /^pinwarden_build_info\{version="test",node="v[\d.]+"\} 1$/m)
})

t.test('HEAD is answered as GET, without its body', async (t) => {
  const admin = await startAdmin(t)
  for (const path of ['/healthz', '/readyz', '/metrics', '/status']) {
    const answer = await admin.ask('HEAD', path)
    t.equal(answer.status, 200, path)
    t.equal(answer.text, '', path)
  }
})

t.test('anything but GET and HEAD is refused, on known paths and others', async (t) => {
  const admin = await startAdmin(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE']) {
    for (const path of ['/status', '/metrics', '/nothing']) {
      const answer = await admin.ask(method, path)
      t.equal(answer.status, 405, `${method} ${path}`)
      t.equal(answer.headers.allow, 'GET, HEAD')
      t.same(JSON.parse(answer.text), { code: 405, message: 'method not allowed' })
    }
  }
})

t.test('an unknown path and a malformed one are errors in JSON', async (t) => {
  const admin = await startAdmin(t)
  const unknown = await admin.ask('GET', '/pins')
  t.equal(unknown.status, 404)
  t.same(JSON.parse(unknown.text), { code: 404, message: 'not found' })
  const malformed = await admin.ask('GET', '/%zz')
  t.equal(malformed.status, 400)
  t.same(JSON.parse(malformed.text), { code: 400, message: 'malformed path' })
})

t.test('a request with a body is refused and its connection closed', async (t) => {
  const admin = await startAdmin(t)
  const host = `Host: ${new URL(admin.at).host}`
  const withLength = head('GET /status HTTP/1.1', host, 'Content-Length: 1000000000')
  t.same(statuses(await exchange(admin.at, `${withLength}abc`)), [413])
  const chunked = head('GET /status HTTP/1.1', host, 'Transfer-Encoding: chunked')
  t.same(statuses(await exchange(admin.at, `${chunked}3\r\nabc\r\n`)), [413])
})

t.test('malformed or oversized HTTP is answered in JSON', async (t) => {
  const admin = await startAdmin(t)
  const garbage = await exchange(admin.at, 'what is this\r\n\r\n')
  t.same(statuses(garbage), [400])
  t.match(garbage, '{"code":400,"message":"malformed request"}')
  const large = await exchange(admin.at, head('GET / HTTP/1.1', `A: ${'x'.repeat(20_000)}`))
  t.same(statuses(large), [431])
})

t.test('a Host that does not name the listener is refused on every path', async (t) => {
  const admin = await startAdmin(t)
  const { port } = new URL(admin.at)
  for (const host of [
    `rebound.example:${port}`,
    'rebound.example',
    `127.0.0.1.rebound.example:${port}`,
    `localhost.rebound.example:${port}`,
    `192.0.2.7:${port}`,
    `[2001:db8::1]:${port}`,
    `user@127.0.0.1:${port}`,
  ]) {
    for (const path of ['/healthz', '/metrics', '/status', '/nothing']) {
      const answer = await admin.ask('GET', path, { host })
      t.equal(answer.status, 403, `${host}${path}`)
      t.match(JSON.parse(answer.text), { code: 403, message: /Host/ })
    }
  }
  t.same(statuses(await exchange(admin.at, head('GET /status HTTP/1.0'))), [403], 'none at all')
  const empty = head('GET /status HTTP/1.1', 'Host:', 'Connection: close')
  t.same(statuses(await exchange(admin.at, empty)), [403], 'an empty one')
})

t.test("loopback's names, with any port of a tunnel, name the listener", async (t) => {
  const admin = await startAdmin(t)
  const { port } = new URL(admin.at)
  for (const host of ['127.0.0.1', 'localhost', 'LocalHost', '[::1]', '127.1.2.3']) {
    for (const named of [`${host}:${port}`, `${host}:8080`, host])
      t.equal((await admin.ask('GET', '/healthz', { host: named })).status, 200, named)
  }
})

t.test('configured names also name the listener', async (t) => {
  const admin = await startAdmin(t, { address: { ...tcp, hostNames: ['node.internal'] } })
  const { port } = new URL(admin.at)
  const named = await admin.ask('GET', '/healthz', { host: `Node.internal:${port}` })
  t.equal(named.status, 200)
  const mapped = await admin.ask('GET', '/healthz', { host: 'node.internal:19099' })
  t.equal(mapped.status, 200, 'by a port that is mapped to it')
  const other = await admin.ask('GET', '/healthz', { host: `other.internal:${port}` })
  t.equal(other.status, 403)
})

t.test('an address that others can reach is refused without allowRemote', async (t) => {
  for (const host of ['0.0.0.0', '::', '192.0.2.7', 'node.internal']) {
    await t.rejects(startAdmin(t, { address: { host, port: 0 } }), /allowRemote/, host)
  }
})

t.test('with allowRemote it listens everywhere, and any address names it', async (t) => {
  const admin = await startAdmin(t, { address: { host: '0.0.0.0', port: 0, allowRemote: true } })
  const { port } = new URL(admin.at)
  const byAddress = await admin.ask('GET', '/healthz', { host: `192.0.2.7:${port}` })
  t.equal(byAddress.status, 200)
  const byName = await admin.ask('GET', '/healthz', { host: `rebound.example:${port}` })
  t.equal(byName.status, 403)
})

t.test('a failure to gather the status is a bug, logged and not shown', async (t) => {
  const admin = await startAdmin(t, {
    status: () => {
      throw new Error('inner workings')
    },
  })
  const answer = await admin.ask('GET', '/status')
  t.equal(answer.status, 500)
  t.same(JSON.parse(answer.text), { code: 500, message: 'internal error' })
  t.match(admin.bugs, [{ message: 'inner workings' }])
  t.equal((await admin.ask('GET', '/healthz')).status, 200)
})

t.test('a port in use is an error', async (t) => {
  const admin = await startAdmin(t)
  const { port } = new URL(admin.at)
  await t.rejects(startAdmin(t, { address: { ...tcp, port: Number(port) } }), {
    code: 'EADDRINUSE',
  })
})

t.test('closing waits for no client', async (t) => {
  const admin = await startAdmin(t, { isClusterUp: () => new Promise(() => undefined) })
  const silent = await RawClient.to(admin.at)
  const waiting = await RawClient.to(admin.at)
  waiting.write(head('GET /readyz HTTP/1.1', `Host: ${new URL(admin.at).host}`))
  t.equal((await admin.ask('GET', '/healthz')).status, 200)
  const startMs = performance.now()
  await admin.close()
  await Promise.all([silent.closed, waiting.closed])
  t.ok(performance.now() - startMs < 1000)
})

t.test('64 idle connections do not lock out a caller', async (t) => {
  const admin = await startAdmin(t)
  const ask = head('GET /healthz HTTP/1.1', `Host: ${new URL(admin.at).host}`)
  const kept: RawClient[] = []
  for (let count = 0; count < 64; count++) kept.push(await RawClient.to(admin.at))
  await kept[0]?.write(ask).until(/\}$/)
  t.equal((await admin.ask('GET', '/readyz')).status, 200)
  await kept[1]?.closed
  t.ok(
    kept.slice(2).every(({ socket }) => !socket.closed),
    'the one that was idle for longest',
  )
  t.notOk(kept[0]?.socket.closed)
  for (const { socket } of kept) socket.destroy()
})

t.test('a connection has one question at a time, however many it has sent', async (t) => {
  let begun = 0
  const admin = await startAdmin(t, { isClusterUp: () => Promise.resolve(++begun > 0) })
  const ask = ['GET /readyz HTTP/1.1', `Host: ${new URL(admin.at).host}`] as const
  const client = await RawClient.to(admin.at)
  client.write(head(...ask).repeat(99) + head(...ask, 'Connection: close'))
  t.equal((await client.all()).match(/"ready":true/g)?.length, 100)
  t.equal(begun, 100, 'no two were there together, which would have shared one check')
})

t.test('a flood of dear questions takes a quarter of the time, and all are answered', async (t) => {
  let [made, workMs] = [0, 0]
  const admin = await startAdmin(t, {
    activity: () => {
      const startMs = performance.now()
      while (performance.now() - startMs < 5);
      workMs += performance.now() - startMs
      return { made: ++made }
    },
  })
  const startMs = performance.now()
  const ask = head('GET /activity HTTP/1.1', `Host: ${new URL(admin.at).host}`)
  const texts = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const client = await RawClient.to(admin.at)
      const text = await client.write(ask.repeat(10)).until(/(?:"made":\d+\}[^]*){10}$/)
      client.socket.destroy()
      return text
    }),
  )
  t.ok(texts.every((text) => text.match(/"made"/g)?.length === 10))
  t.ok(made < 100, `${made} were made`)
  t.ok(workMs < (performance.now() - startMs) / 3, `${workMs} ms of work`)
  const before = made
  await admin.ask('GET', '/activity')
  t.equal(made, before + 1, 'what is asked later is told as it is then')
})
