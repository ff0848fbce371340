/** The admin listener of the real daemon: what an operator's tools read there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { run } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'

const key = generateKey()
const cid = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

async function served(t: Test, admin: object | null = { port: 0 }) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const directory = t.testdir({})
  const path = join(directory, 'config.json')
  const config = {
    listen: { port: 0 },
    ...(admin && { admin }),
    cluster: { endpoints: [{ url: cluster.url }] },
    encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
  }
  writeFileSync(path, JSON.stringify(config), { mode: 0o640 })
  const daemon = run(t, ['serve', '--config', path])
  return { cluster, daemon, path, config }
}

async function listening(t: Test, admin?: object | null) {
  const started = await served(t, admin)
  const line = await started.daemon.logged('listening')
  return { ...started, url: String(line.url), at: String(line.admin) }
}

const textOf = async (url: string) => (await fetch(url)).text()

t.test('metrics count what passed the gate, by encoder and reason', async (t) => {
  const { url, at } = await listening(t)
  const headers = { authorization: `Bearer ${key}` }
  await fetch(`${url}/pins/${cid}`, { method: 'POST', headers })
  await fetch(`${url}/id`, { headers })
  await fetch(`${url}/id`)
  const text = await textOf(`${at}/metrics`)
  t.match(text, /^pinwarden_requests_total\{encoder="alpha",permission="pin",code="2xx"\} 1$/m)
  t.match(text, /^pinwarden_pins_total\{encoder="alpha",result="ok"\} 1$/m)
  t.match(text, /^pinwarden_auth_failures_total\{reason="no-credential"\} 1$/m)
  t.match(text, /^pinwarden_config_last_reload_successful 1$/m)
  t.match(text, /^pinwarden_build_info\{.*version="0\.1\.0".*\} 1$/m)
  t.notMatch(text, cid)
  t.notMatch(text, key.slice(3, 20))
})

t.test('ready follows the cluster, healthy only the process', async (t) => {
  const { cluster, at } = await listening(t)
  t.equal((await fetch(`${at}/readyz`)).status, 200)
  t.ok(
    cluster.requests.every(({ target }) => target !== '/id'),
    'the question is a cheap one',
  )
  await cluster.close()
  let status = 200
  while (status === 200) status = (await fetch(`${at}/readyz`)).status
  t.equal(status, 503)
  t.equal((await fetch(`${at}/healthz`)).status, 200)
})

t.test('status shows the current settings, also after a reload', async (t) => {
  const { at, daemon, path, config } = await listening(t)
  const status = async () => JSON.parse(await textOf(`${at}/status`)) as { encoders: number }
  t.match(await status(), { encoders: 1, version: '0.1.0', certificateExpires: null })
  writeFileSync(path, JSON.stringify({ ...config, encoders: {} }))
  daemon.process.kill('SIGHUP')
  await daemon.logged('settings reloaded')
  t.match(await status(), { encoders: 0 })
  writeFileSync(path, 'broken')
  daemon.process.kill('SIGHUP')
  await daemon.logged('settings not reloaded: the old ones stay in force')
  t.match(await textOf(`${at}/metrics`), /^pinwarden_config_last_reload_successful 0$/m)
})

t.test('it can listen on a unix socket', async (t) => {
  // The path of a socket has 107 bytes at most.
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const socket = join(directory, 'admin.sock')
  const { at, daemon } = await listening(t, { socket })
  t.equal(at, socket)
  const request = get({ socketPath: at, path: '/healthz' })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  t.equal(response.statusCode, 200)
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
})

t.test('a socket path that is too long is a problem of the configuration', async (t) => {
  const { daemon } = await served(t, { socket: 'x'.repeat(120) })
  t.equal((await daemon.exited).code, 1)
  t.match(daemon.stderr, /^ {2}line 1: admin\.socket: .*; use/m)
})

t.test(
  'without the section there is no listener, and a remote address needs allowRemote',
  async (t) => {
    const none = await listening(t, null)
    t.equal(none.at, 'undefined')
    const { daemon } = await served(t, { host: '0.0.0.0' })
    t.equal((await daemon.exited).code, 1)
    t.match(daemon.stderr, /^ {2}line 1: admin\.host: "0\.0\.0\.0"/m)
  },
)

t.test('an address in use ends the start, also of the gate', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { daemon } = await served(t, { port: (taken.address() as AddressInfo).port })
  t.equal((await daemon.exited).code, 1)
  t.match(daemon.stderr, /^ {2}line 1: admin\.port: another program listens on port \d+/m)
})
