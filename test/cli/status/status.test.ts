/** What the commands learn of the running daemon: its state, and when keys were last used. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { status, type StatusOptions } from '../../../src/cli/status/status.js'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { run, startDaemon } from '../../support/daemon.js'
import { pinwarden } from '../../support/pinwarden.js'
import { prepareDaemon } from '../../support/prepare-daemon.js'

const [key, idle] = [generateKey(), generateKey()]

/** The real daemon, watched over a socket beside its configuration. */
async function served(t: Test) {
  const { start, file, ...prepared } = await prepareDaemon(t, {
    admin: { socket: 'admin.sock' },
    encoders: {
      alpha: {
        keys: [
          { id: 'used', sha256: digestOf(key) },
          { id: 'idle', sha256: digestOf(idle) },
        ],
      },
      beta: {},
    },
  })
  return { ...prepared, ...(await start()), socket: file('admin.sock') }
}

t.test('a daemon without its cluster is not ready, and is live', async (t) => {
  const { cluster, path } = await served(t)
  await cluster.close()
  let code = 0
  // The next health check finds it out.
  while (code === 0) ({ code } = await pinwarden('status', '-c', path))
  t.equal((await pinwarden('status', '--live', '-c', path)).code, 0)
  t.equal((await pinwarden('status', '--live', '--admin', '/nowhere', '-c', path)).code, 1)
})

t.test('status describes the daemon, and exits with 0 when it is ready', async (t) => {
  const { url, path, socket } = await served(t)
  const { code, stdout, stderr } = await pinwarden('status', '-c', path)
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(stdout, /^ready +yes$/m)
  t.match(stdout, `gate      ${url}, 0 requests in flight`)
  t.match(stdout, /^ledger +0 pins owed(?:; verifying recent writes)?$/m)
  t.match(stdout, /^encoders +2$/m)
  t.match(stdout, /^settings +in force since 20\S+Z$/m)
  t.match(stdout, /^tls +off$/m)
  const json = await pinwarden('status', '--json', '--admin', socket, '-c', '/nowhere')
  t.match(JSON.parse(json.stdout), {
    ...{ ready: true, url, settings: { isLastRefused: false } },
    ledger: { owedRows: 0, doubts: 0, reportedRows: { missing: 0, unexpected: 0 } },
  })
})

t.test('status exits with 1 when the cluster is down or settings were refused', async (t) => {
  const { cluster, daemon, path, socket } = await served(t)
  await cluster.close()
  writeFileSync(path, 'broken')
  daemon.process.kill('SIGHUP')
  await daemon.logged('settings not reloaded: the old ones stay in force')
  const { code, stdout } = await pinwarden('status', '--admin', socket)
  t.equal(code, 1)
  t.match(stdout, /^ready +no: cluster$/m)
  t.match(stdout, /^alarm +[^.]+settings[^.]*\. .*pinwarden check/m)
  t.match(stdout, /^settings .*; newer ones were refused: pinwarden check says why$/m)
})

t.test('status names the settings that wait for a restart', async (t) => {
  const { daemon, path, socket } = await served(t)
  const config = JSON.parse(readFileSync(path, 'utf8')) as object
  writeFileSync(path, JSON.stringify({ ...config, listen: { port: 1 }, log: { level: 'debug' } }))
  daemon.process.kill('SIGHUP')
  await daemon.logged('some settings wait for a restart')
  const { stdout } = await pinwarden('status', '--admin', socket)
  t.match(stdout, /^settings .*Z; restart needed for listen\.port$/m)
  const json = await pinwarden('status', '--json', '--admin', socket)
  t.match(JSON.parse(json.stdout), { settings: { needRestart: ['listen.port'] } })
})

t.test('status --watch continues while the daemon restarts, until it is stopped', async (t) => {
  const { url, path, daemon } = await served(t)
  await fetch(`${url}/id`, { headers: { authorization: `Bearer ${key}` } })
  await fetch(`${url}/id`)
  const watch = new Watch({ configPath: path, json: false })
  await watch.until(/^alpha +\d+ s ago +1 +0 +0 +\S+ ms +reads 1\/\d+$/m)
  await watch.until(/^\(unknown\) +- +1 +1 +0 +- +-$/m)
  t.match(watch.text, /^ready +yes$/m)
  t.notMatch(watch.text, '\x1b', 'no escapes where it goes to no terminal')
  daemon.process.kill('SIGTERM')
  await daemon.exited
  await watch.until(/^no answer from the daemon: \S+ does not exist$/m)
  watch.text = ''
  const again = run(t, ['serve', '--config', path])
  await again.logged('listening')
  await watch.until(/^no requests in the last hour$/m)
  t.equal(await watch.end(), 0)
})

t.test('status --watch redraws a terminal, or prints JSON documents', async (t) => {
  const { path } = await served(t)
  const drawn = new Watch({ configPath: path, json: false }, true)
  await drawn.until(/(\x1b\[H\x1b\[J[^\x1b]*){2}/)
  t.equal(await drawn.end(), 0)
  const documents = new Watch({ configPath: path, json: true })
  await documents.until(/\n.*\n/)
  const [line = ''] = documents.text.split('\n')
  t.match(JSON.parse(line), { ready: true, activity: { encoders: [{ name: 'alpha' }, {}] } })
  t.equal(await documents.end(), 0)
})

t.test('status --watch exits with 0 on Ctrl-C', async (t) => {
  const { path } = await served(t)
  const watch = run(t, ['status', '-c', path, '--watch'])
  await once(watch.process.stdout, 'data')
  watch.process.kill('SIGINT')
  t.same(await watch.exited, { code: 0, signal: null })
})

t.test('a malformed interval is refused', async (t) => {
  const { path } = await served(t)
  for (const seconds of ['soon', '0', '3601', '-1']) {
    const { code, stderr } = await pinwarden('status', '-c', path, `--watch=${seconds}`)
    t.equal(code, 2, seconds)
    t.match(stderr, `--watch ${seconds} is not a number of seconds`)
  }
})

/** A watch in this process, and what it wrote so far. */
class Watch {
  text = ''
  private readonly ending = new AbortController()
  private readonly ended: Promise<number>
  private look: () => void = () => undefined

  constructor(options: Pick<StatusOptions, 'configPath' | 'json'>, isTTY = false) {
    const write = (text: string) => {
      this.text += text
      this.look()
    }
    const io = { stdout: { write, isTTY }, stderr: { write }, env: {} }
    const { signal } = this.ending
    this.ended = status({ ...options, admin: undefined, watch: '0.1', signal }, io)
  }

  async until(wanted: RegExp): Promise<void> {
    while (!wanted.test(this.text)) await new Promise<void>((resolve) => (this.look = resolve))
  }

  end(): Promise<number> {
    this.ending.abort()
    return this.ended
  }
}

t.test('status says why the daemon cannot be asked', async (t) => {
  const dir = t.testdir({ 'config.json': '{}' })
  const path = join(dir, 'config.json')
  const cases: readonly (readonly [args: string[], message: RegExp])[] = [
    [[], /has no admin section.*\nhint: add "admin": \{\}/],
    [
      ['--admin', '/nowhere/none.sock'],
      /no answer from the daemon: \/nowhere\/none\.sock does not exist\nhint: /,
    ],
    [
      ['--admin', 'http://127.0.0.1:1'],
      /no answer from the daemon: nothing listens at 127\.0\.0\.1:1\nhint: /,
    ],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await pinwarden('status', '-c', path, ...args)
    t.equal(code, 1)
    t.match(stderr, message)
  }
  let body = ''
  const other = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  for (const text of ['{}', 'null', '[]', '<html>', '', '{"startedAt":"2026-11-29"}', '{"se']) {
    body = text
    t.match(await pinwarden('status', '--admin', `http://127.0.0.1:${port}`), {
      code: 1,
      stderr: /is not an admin listener of pinwarden/,
    })
  }
  for (const where of [
    '127.0.0.1:9099',
    'http://',
    'http://127.0.0.1:99999',
    'ftp://x',
    'https://localhost:9099',
  ])
    t.match(await pinwarden('status', '--admin', where), {
      code: 2,
      stderr: /is not a URL of an admin listener\nhint: /,
    })
})

t.test('lists show when a key was last used, as the daemon knows it', async (t) => {
  const { url, path } = await served(t)
  const before = Date.now()
  await fetch(`${url}/id`, { headers: { authorization: `Bearer ${key}` } })
  await fetch(`${url}/id`, { headers: { authorization: `Bearer ${generateKey()}` } })

  const keys = await pinwarden('keys', 'list', '-c', path)
  t.match(keys.stdout, /^alpha +used +live +- +never +20\S+:\d\dZ$/m)
  t.match(keys.stdout, /^alpha +idle +live +- +never +-$/m)
  t.match(keys.stderr, /^hint: last use is counted since the daemon's start, 20\S+$/m)
  const encoders = await pinwarden('encoders', 'list', '--json', '-c', path)
  const [alpha, beta] = JSON.parse(encoders.stdout) as { lastUsed: string | null }[]
  t.ok(Date.parse(alpha?.lastUsed ?? '') >= before)
  t.equal(beta?.lastUsed, null)

  await pinwarden('keys', 'revoke', 'alpha', 'used', '-c', path)
  t.notMatch((await pinwarden('keys', 'list', '-c', path)).stdout, 'used')
})

t.test('if the daemon cannot be asked, a list says so and shows the rest', async (t) => {
  const { daemon, path } = await served(t)
  daemon.process.kill('SIGTERM')
  await daemon.exited
  const { code, stdout, stderr } = await pinwarden('keys', 'list', '-c', path)
  t.equal(code, 0)
  t.match(stdout, /^alpha +used +live +- +never +\?$/m)
  t.match(stderr, /^hint: last use is unknown: no answer from the daemon: \S+ does not exist$/m)
})

t.test(
  'reload says what changed, what waits, or why it was refused; status still works',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'reload-'))
    t.teardown(() => {
      rmSync(directory, { recursive: true })
    })
    const config = {
      admin: { port: 0 },
      control: { socket: join(directory, 'c') },
      listen: { port: 0 },
    }
    const { daemon, configPath } = await startDaemon(t, config)
    const { admin } = await daemon.logged('listening')
    const write = (fields: object) => {
      writeFileSync(configPath, JSON.stringify({ ...config, ...fields }))
    }
    const reload = (...args: string[]) => pinwarden('reload', ...args, '-c', configPath)
    t.match(await reload(), {
      code: 0,
      stdout: /^reloaded: nothing has changed since the daemon last read it, .*\n$/,
    })
    write({ encoders: { alpha: {} }, log: { level: 'warn', bufferBytesMax: 70_000 } })
    const reloaded = await reload()
    t.equal(reloaded.code, 0)
    t.match(reloaded.stdout, /^ {2}changed: log$/m)
    t.match(reloaded.stdout, /^ {2}encoders added: alpha$/m)
    t.match(reloaded.stdout, /^ {2}waits for a restart: log\.bufferBytesMax$/m)
    t.match(reloaded.stderr, /warning: encoders without a key: alpha/)
    write({ log: { level: 'loud' }, admin: { port: Number(new URL(String(admin)).port) } })
    t.match(await reload(), {
      code: 1,
      stderr: /refused.*\n {2}line 1: log\.level: "loud" is not one of/,
    })
    t.equal(
      (JSON.parse((await reload('--json')).stdout) as { isApplied: boolean }).isApplied,
      false,
    )
    const status = await pinwarden('status', '--live', '-c', configPath)
    t.match(status, {
      code: 0,
      stderr: /config\.json is broken: pinwarden check says why.*\nhint: .*--admin/,
    })
    t.match(status.stdout, new RegExp(`^host +${hostname()}$`, 'm'))
    for (const broken of [
      `{ "listen": { "port": 0 } "control": { "socket": "${directory}/c" } }`,
      `{ "control": { "socket": "${directory}/c" }, "listen": { "port": `,
    ]) {
      writeFileSync(configPath, broken)
      t.match(await reload(), {
        code: 1,
        stderr: /the daemon refused .*\n {2}line 1, column \d+: /,
      })
      t.match(await pinwarden('journal', 'list', '-c', configPath), {
        ...{ code: 0, stdout: 'nothing waits\n', stderr: /config\.json is broken: .*\n$/ },
      })
    }
    for (const lost of [
      '["control"',
      '['.repeat(200_000),
      '{ "__proto__": { "control": 1 } }',
      '',
    ]) {
      writeFileSync(configPath, lost)
      t.match(await reload(), { code: 1, stderr: /no answer.*\nhint: .*kill -HUP PID\n/ })
    }
    write({})
    daemon.process.kill('SIGTERM')
    await daemon.exited
    t.match(await reload(), { code: 1, stderr: /no answer from the daemon/ })
  },
)
