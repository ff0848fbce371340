/** The last writes outlive the gate: what a power cut took from the cluster is written again. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { KeptWrites } from '../../src/leases/kept-writes.js'
import { RecentWrites } from '../../src/leases/recent.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { clock } from '../support/clock.js'
import { run, startDaemon } from '../support/daemon.js'
import { type FakeCluster, generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { limitFiles } from '../support/full-disk.js'
import { waitForFile } from '../support/wait-for-file.js'

const looked = 'what was written last was looked at: the cluster or this gate had ended'
const key = generateKey()

const configOf = (cluster: FakeCluster, directory: string) => ({
  listen: { port: 0 },
  cluster: { endpoints: [{ url: cluster.url }] },
  lookBack: { directory },
  encoders: { alpha: { keys: [{ id: 'k', sha256: digestOf(key) }] } },
})

const ask = async (url: string, method: string, cid: string): Promise<number> => {
  const headers = { authorization: `Bearer ${key}` }
  return (await fetch(`${url}/pins/${cid}`, { method, headers })).status
}

/** Not the test's own, which is made anew for each daemon. */
function directoryFor(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-writes-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  return directory
}

/** For what the disk does in its own time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate)
}

const holds = (directory: string, what: RegExp): Promise<string> =>
  waitForFile(join(directory, 'last-writes'), (text) => what.test(text))

t.test('after a power cut what the cluster had forgotten is written again', async (t) => {
  const directory = directoryFor(t)
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const { daemon, url } = await startDaemon(t, configOf(cluster, directory))
  const [first, second, third, fourth] = [0, 1, 2, 3].map(generatedCid) as [
    string,
    string,
    string,
    string,
  ]
  for (const cid of [first, second]) t.equal(await ask(url, 'POST', cid), 200)
  const forget = cluster.pins.mark()
  for (const cid of [third, fourth]) t.equal(await ask(url, 'POST', cid), 200)
  t.equal(await ask(url, 'DELETE', second), 200)
  const before = cluster.pins.get(fourth)?.metadata
  await holds(directory, new RegExp(`"cid":"${second}".*"text":null`))
  daemon.process.kill('SIGKILL')
  await daemon.exited
  forget()
  t.same(
    [second, third, fourth].map((cid) => cluster.pins.has(cid)),
    [true, false, false],
  )

  const again = await startDaemon(t, configOf(cluster, directory))
  t.match(await again.daemon.logged(looked), { forgotten: 3 })
  t.same(
    [first, second, third, fourth].map((cid) => cluster.pins.has(cid)),
    [true, false, true, true],
  )
  t.same(cluster.pins.get(fourth)?.metadata, before, 'leases and all')
})

t.test('what was written before an orderly end is remembered after it', async (t) => {
  const directory = directoryFor(t)
  const cluster = await startFakeCluster()
  const port = Number(new URL(cluster.url).port)
  const { daemon, url } = await startDaemon(t, configOf(cluster, directory))
  const forget = cluster.pins.mark()
  t.equal(await ask(url, 'POST', generatedCid(1)), 200)
  daemon.process.kill('SIGTERM')
  t.match(await daemon.exited, { code: 0 })

  const again = await startDaemon(t, configOf(cluster, directory))
  t.equal(await ask(again.url, 'POST', generatedCid(2)), 200)
  await cluster.close()
  forget()
  const other = await startFakeCluster({ port, pins: cluster.pins })
  t.teardown(() => other.close())
  t.match(await again.daemon.logged(looked), { looked: 2, forgotten: 2 })
  t.ok(other.pins.has(generatedCid(1)), 'of the run before')
})

t.test('what was written to one cluster is not written to another', async (t) => {
  const directory = directoryFor(t)
  const [one, other] = [await startFakeCluster(), await startFakeCluster()]
  t.teardown(() => Promise.all([one.close(), other.close()]))
  const first = await startDaemon(t, configOf(one, directory))
  t.equal(await ask(first.url, 'POST', generatedCid(1)), 200)
  await holds(directory, new RegExp(generatedCid(1)))
  first.daemon.process.kill('SIGKILL')
  await first.daemon.exited
  const second = await startDaemon(t, configOf(other, directory))
  t.match(second.daemon.lines(), [
    { msg: 'the cluster is another than that of the last writes', directory },
  ])
  t.equal(await ask(second.url, 'POST', generatedCid(2)), 200)
  t.equal(other.pins.size, 1)
})

t.test('the first StateDirectory of the unit takes them, if the settings name none', async (t) => {
  const directory = directoryFor(t)
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const config = join(t.testdir({}), 'config.json')
  const settings = { ...configOf(cluster, ''), lookBack: undefined }
  writeFileSync(config, JSON.stringify(settings), { mode: 0o640 })
  const env = { PATH: process.env.PATH, STATE_DIRECTORY: `${directory}:/elsewhere` }
  await run(t, ['serve', '--config', config], [], env).logged('listening')
  t.match(readFileSync(join(directory, 'last-writes'), 'utf8'), cluster.url)
})

t.test('where nothing can be kept the gate works, and says so', async (t) => {
  const directory = directoryFor(t)
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const first = await startDaemon(t, configOf(cluster, directory))
  const second = await startDaemon(t, configOf(cluster, directory))
  const message = 'the last writes cannot be kept on the disk'
  t.match(await second.daemon.logged(message), {
    level: 'error',
    err: { message: `another daemon has the look-back in ${directory}` },
  })
  for (const { url } of [first, second]) t.equal(await ask(url, 'POST', generatedCid(1)), 200)
})

/** Writes of a gate that are kept, in a time of its own. */
async function opened(t: Test, directory = t.testdir({}), cluster = ['http://cluster:9094']) {
  const { now, setTimer: later, turn } = clock()
  const told: object[] = []
  const recent = new RecentWrites(86_400_000, now)
  const kept = await KeptWrites.open({
    ...{ directory, recent, later, now },
    cluster: () => cluster,
    tell: (level, fields, message) => told.push({ level, message, ...fields }),
  })
  t.teardown(() => kept.close())
  const file = join(directory, 'last-writes')
  const linesIn = () => readFileSync(file, 'utf8').trimEnd().split('\n')
  /** Lets a second pass, and the disk take what is due. */
  const flushed = async (lines: number) => {
    await turn(1000)
    await until(() => {
      // One that was due while another was under way comes after it.
      void turn(0)
      return linesIn().length === lines
    })
  }
  return { recent, kept, told, file, linesIn, flushed, directory, turn }
}

const cidsOf = (recent: RecentWrites) => recent.newestFirst().map(({ cid }) => cid)

t.test('one flush takes what was written in a second, the last of each pin', async (t) => {
  const { recent, linesIn, flushed, directory, kept } = await opened(t)
  t.equal(linesIn().length, 1)
  for (const cid of ['a', 'b', 'a', 'c']) recent.wrote(cid, `{"of":"${cid}"}`)
  recent.removed('b', 5)
  recent.lost('c')
  t.equal(linesIn().length, 1, 'nobody waits for it')
  await flushed(4)
  t.same(
    linesIn().map((line) => JSON.parse(line) as unknown),
    [
      { cluster: ['http://cluster:9094'] },
      { cid: 'a', atMs: 0, text: '{"of":"a"}', isUnsure: false, writtenMs: null },
      { cid: 'b', atMs: 0, text: null, isUnsure: false, writtenMs: 5 },
      { cid: 'c', atMs: 0, text: '{"of":"c"}', isUnsure: true, writtenMs: null },
    ],
  )
  await kept.close()
  const again = await opened(t, directory)
  t.equal(again.kept.wasKilled, false)
  t.same(
    ['a', 'b', 'c'].map((cid) => again.recent.told(cid)),
    ['a', 'b', 'c'].map((cid) => recent.told(cid)),
  )
})

t.test('a file that ends anywhere, or is damaged, gives all lines that are whole', async (t) => {
  const { recent, flushed, directory, file, kept } = await opened(t)
  for (const cid of ['a', 'b', 'c']) recent.wrote(cid, '{}')
  await flushed(4)
  const whole = readFileSync(file, 'utf8')
  await kept.close()
  writeFileSync(file, whole.replace('"cid":"b"', '"cid":\0\0'))
  truncateSync(file, whole.length - 5)
  const again = await opened(t, directory)
  t.equal(again.kept.wasKilled, true)
  t.same(cidsOf(again.recent), ['a'])
  t.same(again.told, [])
})

t.test('the file does not grow beyond its bound', async (t) => {
  const { recent, flushed } = await opened(t)
  for (let round = 0; round < 10; round++) {
    for (let index = 0; index < 1000; index++) recent.wrote(`${round}-${index}`, '{}')
    await flushed(1 + (round + 1) * 1000)
  }
  recent.wrote('one more', '{}')
  await flushed(1 + 1000)
  recent.wrote('and one', '{}')
  await flushed(1 + 1001)
  for (let index = 0; index < 5000; index++) recent.wrote(`more-${index}`, '{}')
  await flushed(1 + 1000)
})

t.test('with another cluster the file begins anew', async (t) => {
  const cluster = ['http://one:9094']
  const { recent, kept, linesIn, flushed, turn, directory } = await opened(
    t,
    t.testdir({}),
    cluster,
  )
  recent.wrote('a', '{}')
  await turn(10)
  cluster[0] = 'http://other:9094'
  kept.startAnew()
  recent.wrote('b', '{}')
  await flushed(2)
  t.equal(linesIn()[0], '{"cluster":["http://other:9094"]}')
  t.match(linesIn().slice(1), [/"cid":"b"/])
  await kept.close()
  t.same(cidsOf((await opened(t, directory, cluster)).recent), ['b'])
})

t.test('a full disk is told once, and costs nothing once there is room', async (t) => {
  const { recent, told, linesIn, turn } = await opened(t)
  limitFiles(100)
  try {
    recent.wrote('a', '{}')
    await turn(1000)
    await until(() => told.length > 0)
    recent.wrote('b', '{}')
    await turn(1000)
    t.match(told, [{ level: 'error', message: 'the last writes cannot be kept on the disk' }])
  } finally {
    limitFiles('unlimited')
  }
  await turn(5000)
  await until(() => told.length > 1)
  t.match(told.slice(1), [
    { level: 'info', message: 'the last writes can be kept on the disk again' },
  ])
  t.match(linesIn().slice(1), [/"cid":"a"/, /"cid":"b"/])
})
