/** The log as a file and as a pipe that stalls or breaks: it never holds up a request. */
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../src/log/log.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { run, startDaemon } from '../support/daemon.js'
import { startFakeCluster } from '../support/fake-cluster/index.js'
import { waitForFile } from '../support/wait-for-file.js'

const key = generateKey()
const headers = { authorization: `Bearer ${key}` }

async function configOf(t: Test, log: object) {
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  return {
    listen: { port: 0, lingerMs: 0 },
    cluster: { endpoints: [{ url: cluster.url }] },
    limits: { reads: { max: 100_000 } },
    log,
    encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
  }
}

t.test('a reader that stalls blocks nothing; lost lines are counted and logged', async (t) => {
  const config = await configOf(t, { bufferBytesMax: 65_536 })
  const { daemon, url } = await startDaemon(t, config)
  daemon.process.stdout.pause()
  const count = 800
  for (let i = 0; i < count; i++) {
    const response = await fetch(`${url}/id`, { headers })
    await response.arrayBuffer()
    if (response.status !== 200) t.equal(response.status, 200)
  }
  daemon.process.stdout.resume()
  const { lost } = await daemon.logged('dropped log lines: the sink stalled')
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
  const written = daemon.lines().filter((line) => line.msg === 'request').length
  t.ok(written > 0 && written < count)
  t.equal(Number(lost) + written, count)
})

t.test(
  'while the sink stalls, lines of strangers are dropped before those of encoders',
  async (t) => {
    const config = await configOf(t, { bufferBytesMax: 65_536 })
    const { daemon, url } = await startDaemon(t, config)
    daemon.process.stdout.pause()
    const agent = { 'user-agent': '"'.repeat(128) }
    const ask = async (fields: Record<string, string>, count: number) => {
      for (let i = 0; i < count; i++) await (await fetch(`${url}/id`, { headers: fields })).text()
    }
    await ask(agent, 700)
    await ask({ ...headers, ...agent }, 30)
    await ask(agent, 100)
    daemon.process.stdout.resume()
    const { lost } = await daemon.logged('dropped log lines: the sink stalled')
    daemon.process.kill('SIGTERM')
    t.equal((await daemon.exited).code, 0)
    const written = daemon.lines().filter((line) => line.msg === 'request')
    t.equal(written.filter((line) => line.encoder === 'alpha').length, 30, 'all of the encoder')
    t.equal(written.length + Number(lost), 830)
  },
)

t.test('a reader that disconnects does not end the daemon', async (t) => {
  const { daemon, url } = await startDaemon(t, await configOf(t, {}))
  daemon.process.stdout.destroy()
  for (let i = 0; i < 5; i++) {
    t.equal((await fetch(`${url}/id`, { headers })).status, 200)
  }
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
})

t.test('a log file is appended to, and readable by its owner and group only', async (t) => {
  const directory = t.testdir({ config: {} })
  const file = join(directory, 'access.log')
  const path = join(directory, 'config', 'config.json')
  writeFileSync(path, JSON.stringify(await configOf(t, { file })))
  for (const lines of [1, 2]) {
    const daemon = run(t, ['serve', '--config', path])
    const listening = () => readLines(file).filter((line) => line.msg === 'listening')
    await waitForFile(file, () => listening().length >= lines)
    await fetch(`${String(listening().at(-1)?.url)}/id`, { headers })
    daemon.process.kill('SIGTERM')
    t.equal((await daemon.exited).code, 0)
    t.equal(readLines(file).filter((line) => line.msg === 'request').length, lines)
    t.equal(daemon.stdout, '')
  }
  t.equal(statSync(file).mode & 0o007, 0)
})

t.test('a log file that cannot be opened stops the start, and says why', async (t) => {
  const directory = t.testdir({ config: {} })
  const path = join(directory, 'config', 'config.json')
  writeFileSync(path, JSON.stringify(await configOf(t, { file: join(directory, 'no', 'log') })))
  const daemon = run(t, ['serve', '--config', path])
  t.equal((await daemon.exited).code, 1)
  t.match(daemon.stderr, /log\.file: .*no does not exist/)
})

function readLines(file: string): Record<string, unknown>[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  } catch {
    return []
  }
}

t.test('the pretty format has lines for people', async (t) => {
  const config = await configOf(t, { file: 'log', format: 'pretty' })
  const dir = t.testdir({ 'config.json': JSON.stringify(config) })
  const daemon = run(t, ['serve', '-c', join(dir, 'config.json')])
  const text = await waitForFile(join(dir, 'log'), (text) => text.includes('listening'))
  t.match(text, /^\d{4}-\d\d-\d\dT[\d:]+Z info +listening version=/m)
  daemon.process.kill('SIGTERM')
  t.equal((await daemon.exited).code, 0)
})

t.test('reopened many times at once, the log loses no line and closes no other file', async (t) => {
  const file = join(t.testdir(), 'log')
  const log = await openLog({ level: 'info', format: 'json', bufferBytesMax: 65_536, file })
  const others = Array.from({ length: 50 }, () => openSync('/dev/null', 'r'))
  const again = Array.from({ length: 50 }, async (_, n) => {
    log.info({ n }, 'a line')
    await log.reopen()
  })
  await Promise.all(again)
  await log.close()
  t.equal(readFileSync(file, 'utf8').split('\n').length, 51)
  for (const other of others) closeSync(other)
})

t.test('the log has no character that a terminal obeys, and says which came', async (t) => {
  const file = join(t.testdir(), 'log')
  const log = await openLog({ level: 'info', format: 'json', bufferBytesMax: 65_536, file })
  const text = 'a\u001b[2J\u007f\u009b2J\u0085\u202e\u2028\u{e0001}é'
  log.access('info', {
    ...{ id: 'x', traceId: 'x', client: '192.0.2.1', method: 'GET', path: '/id', status: 401 },
    ...{ outcome: 'refused', bytesIn: 1, bytesOut: 1, durationMs: 1, userAgent: text },
  })
  log.warn({ cause: text }, 'a line')
  await log.close()
  const written = readFileSync(file, 'utf8')
  t.notMatch(written, /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  t.match(
    written
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
    [{ userAgent: text }, { cause: text }],
  )
})
