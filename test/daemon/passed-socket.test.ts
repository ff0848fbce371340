/** The socket that systemd passes is the one that is judged, whatever `listen.host` says. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { passedSocket } from '../../src/daemon/listen-descriptor.js'
import { certificate } from '../support/certificate.js'
import type { LogLine } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { type Passed, runWithSocket } from '../support/passed-socket.js'
import { pinwarden } from '../support/pinwarden.js'

const isUnencrypted = ({ warning }: LogLine): boolean =>
  String(warning).includes('sent unencrypted')

const missing = spawnSync('perl', ['--version']).error !== undefined
const skip = missing && 'perl is not installed'

const cluster = await startFakeCluster()
t.teardown(() => cluster.close())

function fileOf(t: Test, listen: object = {}): string {
  const directory = t.testdir({ 'cert.pem': certificate.cert, 'key.pem': certificate.key })
  const path = join(directory, 'config.json')
  const config = { listen, cluster: { endpoints: [{ url: cluster.url }] }, admin: { port: 0 } }
  writeFileSync(path, JSON.stringify(config), { mode: 0o640 })
  return path
}

const serve = (t: Test, passed: Passed, listen: object = {}) =>
  runWithSocket(t, passed, ['serve', '--config', fileOf(t, listen)])

for (const tcp of ['::', '0.0.0.0', '::ffff:0.0.0.0'])
  t.test(
    `plain HTTP on a socket at ${tcp} is refused, and told what to do`,
    { skip },
    async (t) => {
      const daemon = serve(t, { tcp })
      t.same(await daemon.exited, { code: 1, signal: null })
      t.match(
        daemon.stderr,
        `listen: plain HTTP on a socket that is passed to the daemon and bound to ${tcp}; ` +
          'use listen.tls, a loopback address in pinwarden.socket ' +
          '(ListenStream=127.0.0.1:9098), or "allowPlainHttp": true if something else encrypts',
      )
      t.notOk(daemon.lines().some(({ msg }) => msg === 'listening'))
    },
  )

for (const tcp of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
  t.test(`plain HTTP on a socket at ${tcp} is served`, { skip }, async (t) => {
    // The host of the file is not what is listened on.
    const daemon = serve(t, { tcp }, { host: '::1' })
    const { url } = await daemon.logged('listening')
    t.equal((await fetch(`${String(url)}/id`)).status, 401)
    daemon.process.kill('SIGTERM')
    t.equal((await daemon.exited).code, 0)
    t.equal(daemon.stderr, '')
    t.notOk(daemon.lines().some(isUnencrypted))
  })

t.test(
  'with allowPlainHttp it is served and warned of, and with TLS served',
  { skip },
  async (t) => {
    const allowed = serve(t, { tcp: '::' }, { allowPlainHttp: true })
    const { url } = await allowed.logged('listening')
    const { port } = new URL(String(url))
    t.equal((await fetch(`http://127.0.0.1:${port}/id`)).status, 401)
    t.match(allowed.lines().find(isUnencrypted), {
      msg: 'the settings have a warning',
      warning: /^listen\.allowPlainHttp: /,
    })

    const secure = serve(t, { tcp: '::' }, { tls: { certFile: 'cert.pem', keyFile: 'key.pem' } })
    t.match((await secure.logged('listening')).url, /^https:/)
    t.notOk(secure.lines().some(isUnencrypted))
  },
)

t.test(
  'a descriptor that is not a listening TCP socket is refused with a message',
  { skip },
  async (t) => {
    // The path of a socket has to be short.
    const place = mkdtempSync(join(tmpdir(), 'pinwarden-'))
    t.teardown(() => {
      rmSync(place, { recursive: true })
    })
    const passed: readonly Passed[] = [
      { unix: join(place, 'socket') },
      { file: '/dev/null' },
      { file: '/etc/passwd' },
      'udp',
      'connection',
      'unbound',
      'pipe',
      'nothing',
    ]
    for (const each of passed) {
      const daemon = serve(t, each)
      const about = JSON.stringify(each)
      t.same(await daemon.exited, { code: 1, signal: null }, about)
      t.equal(
        daemon.stderr,
        'pinwarden: error: the socket passed to the daemon is not a bound TCP socket, ' +
          'and the gate listens on TCP only\n' +
          'hint: name an address or a port in pinwarden.socket, such as ListenStream=9098\n',
        about,
      )
      t.same(daemon.lines(), [])
    }
  },
)

t.test('any number of sockets other than one is an error', async (t) => {
  const passed = (text?: string) => () =>
    passedSocket({ LISTEN_PID: '7', ...(text !== undefined && { LISTEN_FDS: text }) }, 7)
  for (const text of ['2', '99999999999', 'abc', '-1', '1.5', '1e0', ''])
    t.throws(passed(text), { message: `LISTEN_FDS=${text}: the daemon takes one socket` })
  for (const text of [undefined, '0']) t.equal(passed(text)(), undefined)
  t.equal(passedSocket({ LISTEN_PID: '8', LISTEN_FDS: '2' }, 7), undefined, "another process'")
})

t.test('check states the rule for a socket that only serve gets', async (t) => {
  const tls = { certFile: 'cert.pem', keyFile: 'key.pem' }
  const rowOf = async (listen: object) =>
    /^ +tls +(.*)$/m.exec((await pinwarden('check', '-c', fileOf(t, listen))).stdout)?.[1]
  t.equal(await rowOf({}), "off: systemd's socket must also be on loopback")
  t.equal(await rowOf({ allowPlainHttp: true }), 'off')
  t.match(await rowOf({ tls }), /^TLSv1.2 or newer, for localhost/)
})
