/** The daemon as a process: how it starts, how it ends, and what it says about it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { certificate } from '../support/certificate.js'
import { run, startDaemon } from '../support/daemon.js'
import { type FakeCluster, generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { head, RawClient, statuses } from '../support/raw.js'

const key = generateKey()
const authorization = `Bearer ${key}`

const configOf = (cluster: FakeCluster, listen: object = {}) => ({
  listen: { host: '127.0.0.1', port: 0, ...listen },
  cluster: { endpoints: [{ url: cluster.url }] },
  encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
})

async function fakeCluster(t: Test): Promise<FakeCluster> {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  return cluster
}

const askId = (url: string) => fetch(`${url}/id`, { headers: { authorization } })

t.test('it serves until SIGTERM, then exits 0', async (t) => {
  const cluster = await fakeCluster(t)
  const { daemon, url } = await startDaemon(t, configOf(cluster))
  t.equal((await askId(url)).status, 200)
  daemon.process.kill('SIGTERM')
  t.same(await daemon.exited, { code: 0, signal: null })
  t.ok(daemon.lines().some((line) => line.msg === 'stopped'))
  t.equal(daemon.lines().filter((line) => line.msg === 'request').length, 1)
  t.equal(daemon.stderr, '')
})

t.test(
  'SIGTERM lets a request in flight finish, and half-open connections do not block',
  async (t) => {
    const cluster = await fakeCluster(t)
    const { daemon, url } = await startDaemon(t, configOf(cluster))
    let release = (): void => undefined
    const until = new Promise<void>((resolve) => (release = resolve))
    cluster.behave({ path: '/id' }, { kind: 'hold', until })
    const silent = await RawClient.to(url)
    const half = await RawClient.to(url)
    half.write('GET /id HTTP/1.1\r\nHost:')
    const arrived = cluster.nextRequest()
    const answer = askId(url)
    await arrived
    daemon.process.kill('SIGTERM')
    await daemon.logged('began to stop; requests in flight are finished first')
    await t.rejects(askId(url), 'no new connection is taken')
    release()
    const response = await answer
    t.equal(response.status, 200)
    t.match(await response.json(), { peername: String })
    t.same(await daemon.exited, { code: 0, signal: null })
    await Promise.all([silent.closed, half.closed])
  },
)

t.test('SIGTERM lets a client take the rest of its answer', async (t) => {
  const cluster = await fakeCluster(t)
  const { daemon, url } = await startDaemon(t, configOf(cluster, { lingerMs: 0 }))
  const [cid, bytes] = [generatedCid(1), 4_000_000]
  const body = JSON.stringify({ cid, name: 'x'.repeat(bytes), peer_map: {} })
  const headers = { 'content-type': 'application/json' }
  cluster.behave({ path: `/pins/${cid}` }, { kind: 'status', status: 200, headers, body })
  const client = await RawClient.to(url)
  client.socket.pause()
  const ask = ['Host: gate', `Authorization: ${authorization}`]
  client.write(head(`GET /pins/${cid} HTTP/1.1`, ...ask).repeat(10))
  // Until the buffers of the system are full: the gate asks for no more.
  const asked = (): number => cluster.requests.filter(({ target }) => target !== '/id').length
  for (let still = 0, before = 0; still < 50; before = asked()) {
    await (await askId(url)).text()
    still = asked() > 0 && asked() === before ? still + 1 : 0
  }
  daemon.process.kill('SIGTERM')
  await daemon.logged('began to stop; requests in flight are finished first')
  client.socket.resume()
  const text = await client.all()
  const whole = text.length - text.lastIndexOf('HTTP/1.1 200 OK')
  t.ok(whole > bytes, `${whole} bytes of the last answer`)
  t.same(await daemon.exited, { code: 0, signal: null })
})

t.test('shutdown is bounded by listen.shutdownMs', async (t) => {
  const cluster = await fakeCluster(t)
  const { daemon, url } = await startDaemon(t, configOf(cluster, { shutdownMs: 1000 }))
  cluster.behave({ path: '/id' }, { kind: 'hold', until: new Promise(() => undefined) })
  const arrived = cluster.nextRequest()
  const answer = askId(url)
  await arrived
  daemon.process.kill('SIGTERM')
  await t.rejects(answer)
  t.same(await daemon.exited, { code: 0, signal: null })
  t.match(
    daemon.lines().find((line) => line.msg === 'request'),
    { status: 499 },
  )
})

t.test('a second signal ends it immediately', async (t) => {
  const cluster = await fakeCluster(t)
  const { daemon, url } = await startDaemon(t, configOf(cluster))
  cluster.behave({ path: '/id' }, { kind: 'hold', until: new Promise(() => undefined) })
  const arrived = cluster.nextRequest()
  const answer = askId(url)
  await arrived
  daemon.process.kill('SIGTERM')
  await daemon.logged('began to stop; requests in flight are finished first')
  daemon.process.kill('SIGTERM')
  await t.rejects(answer)
  t.same(await daemon.exited, { code: 1, signal: null })
})

t.test('an address in use is reported plainly, with exit code 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const cluster = await fakeCluster(t)
  const { port } = taken.address() as AddressInfo
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, JSON.stringify(configOf(cluster, { port })))
  const daemon = run(t, ['serve', '--config', path])
  t.equal((await daemon.exited).code, 1)
  const holder = `on port ${port} of 127.0.0.1: node, process ${process.pid}`
  t.match(daemon.stderr, /^pinwarden: error: .* has a problem\n {2}line 1: listen\.port: /)
  t.match(daemon.stderr, holder)
})

t.test('a config with problems does not start', async (t) => {
  const path = join(t.testdir({}), 'config.json')
  writeFileSync(path, '{"listen":{"port":"x"},"encoder":{}}')
  const daemon = run(t, ['serve', '--config', path])
  t.equal((await daemon.exited).code, 1)
  t.match(daemon.stderr, /^ {2}line 1: listen\.port: "x" is not a whole/m)
  t.match(daemon.stderr, /^ {2}line 1: unknown field encoder: did you mean encoders\?/m)
  t.equal(daemon.stdout, '')
})

t.test('it serves over TLS', async (t) => {
  const cluster = await fakeCluster(t)
  const files = t.testdir({ 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  const tls = { certFile: join(files, 'cert.pem'), keyFile: join(files, 'key.pem') }
  const path = join(files, 'config.json')
  writeFileSync(path, JSON.stringify(configOf(cluster, { tls })))
  const daemon = run(t, ['serve', '--config', path])
  const { url } = await daemon.logged('listening')
  t.match(url, /^https:/)
  const client = await RawClient.to(String(url))
  client.write(
    `GET /id HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`,
  )
  t.same(statuses(await client.all()), [200])

  const plain = await RawClient.to(String(url).replace('https', 'http'))
  plain.write('GET /id HTTP/1.1\r\nHost: x\r\n\r\n')
  await plain.closed
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
  t.same(
    daemon
      .lines()
      .filter((line) => line.msg === 'request')
      .map((line) => line.reason ?? line.outcome),
    ['answered', 'tls-error'],
  )
})

t.test('an uncaught error is logged whole and ends it with a code that is not 0', async (t) => {
  const cluster = await fakeCluster(t)
  const directory = t.testdir({
    'bomb.mjs': "process.on('SIGUSR1', () => { setImmediate(() => { throw new Error('boom') }) })",
  })
  const path = join(directory, 'config.json')
  writeFileSync(path, JSON.stringify(configOf(cluster)))
  const daemon = run(t, ['serve', '--config', path], ['--import', join(directory, 'bomb.mjs')])
  await daemon.logged('listening')
  daemon.process.kill('SIGUSR1')
  t.equal((await daemon.exited).code, 1)
  t.match(daemon.lines().at(-1), { msg: 'uncaught error', err: { message: 'boom', stack: String } })
})
