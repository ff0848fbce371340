/** The admin listener on a unix socket: only its owner gets in, and no file of another's is lost. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ask, startAdmin } from './start-admin.js'

/** One folder with a short path: a socket's may have 107 bytes. */
const folder = t.testdir({ file: 'precious', folder: {}, symlink: t.fixture('symlink', 'file') })
let sockets = 0
const freePath = () => join(folder, `s${++sockets}`)

const umaskNow = (): number => {
  const umask = process.umask(0o022)
  process.umask(umask)
  return umask
}

t.test('a socket is for its owner alone, and needs no Host', async (t) => {
  const socket = freePath()
  const umask = umaskNow()
  const admin = await startAdmin(t, { address: { socket } })
  t.equal(umaskNow(), umask, 'the umask is as before')
  t.equal(admin.at, socket)
  t.ok(statSync(socket).isSocket())
  t.equal(statSync(socket).mode & 0o777, 0o600)
  t.equal((await admin.ask('GET', '/healthz')).status, 200)
  for (const host of ['pinwarden', 'localhost:8080', '127.0.0.1:9099'])
    t.equal((await admin.ask('GET', '/status', { host })).status, 200, host)
  const rebound = await admin.ask('GET', '/status', { host: 'rebound.example' })
  t.equal(rebound.status, 403, 'a tunnel may bring the socket to a browser')
  t.equal((await admin.ask('POST', '/status')).status, 405)
})

t.test('a socket has the configured mode', async (t) => {
  const socket = freePath()
  await startAdmin(t, { address: { socket, mode: 0o660 } })
  t.equal(statSync(socket).mode & 0o777, 0o660)
})

t.test('the file is removed with the listener', async (t) => {
  const socket = freePath()
  const admin = await startAdmin(t, { address: { socket } })
  await admin.close()
  t.notOk(existsSync(socket))
})

t.test('a socket that a killed process left behind is replaced', async (t) => {
  const socket = freePath()
  const leave = `require('node:net').createServer()
    .listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  t.throws(() => execFileSync(process.execPath, ['-e', leave, socket]))
  t.ok(statSync(socket).isSocket(), 'it is there')
  const admin = await startAdmin(t, { address: { socket } })
  t.equal((await admin.ask('GET', '/healthz')).status, 200)
})

t.test('a socket on which another process listens is left alone', async (t) => {
  const socket = freePath()
  await startAdmin(t, { address: { socket }, status: () => ({ name: 'first' }) })
  await t.rejects(startAdmin(t, { address: { socket } }), /another program listens/)
  t.match((await ask(socket, 'GET', '/status')).text, 'first')
})

t.test('a file that is not a socket is never removed', async (t) => {
  for (const name of ['file', 'folder', 'symlink']) {
    const socket = join(folder, name)
    await t.rejects(startAdmin(t, { address: { socket } }), /is there, but is not a socket/, name)
    t.ok(existsSync(socket), name)
  }
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'precious')
})

t.test('a path that is too long for the kernel is an error, and is not truncated', async (t) => {
  const socket = join(folder, 'x'.repeat(108))
  await t.rejects(startAdmin(t, { address: { socket } }), /longer than/)
})

t.test('a missing directory is an error', async (t) => {
  const socket = join(folder, 'nowhere', 's')
  const umask = umaskNow()
  await t.rejects(startAdmin(t, { address: { socket } }), { code: /^E/ })
  t.equal(umaskNow(), umask)
})
