/** The journal of the real daemon: looked at and changed by hand, and killed in the middle of it. */
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { run } from '../../support/daemon.js'
import { type FakeCluster, generatedCid, kuboId } from '../../support/fake-cluster/index.js'
import { startFakeKubo } from '../../support/fake-kubo.js'
import { pinwarden } from '../../support/pinwarden.js'
import { prepareDaemon } from '../../support/prepare-daemon.js'

const key = generateKey()
const emptied = 'emptied the journal: every pin was replayed or dropped'
const refused = 'the cluster permanently refused a pin of the journal; its encoder had received 202'

async function served(t: Test, settings: object = {}) {
  const { start, command, ...prepared } = await prepareDaemon(t, {
    cluster: { health: { failuresMax: 1 } },
    limits: { writes: { max: 1_000_000 } },
    onOutage: 'journal',
    journal: { directory: 'journal', perSecondMax: 10_000 },
    encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] }, beta: {} },
    ...settings,
  })
  return {
    ...prepared,
    start: async () => {
      const { daemon, ask } = await start()
      return { daemon, ask, pin: (index: number) => ask('POST', index, key) }
    },
    command: (...argv: string[]) => command('journal', ...argv),
  }
}

const away = (cluster: FakeCluster) => cluster.behave({}, { kind: 'reset' })

t.test('waiting pins are listed, with and without the daemon', async (t) => {
  const { cluster, start, command } = await served(t)
  t.equal((await command('list')).stdout, 'nothing waits\n')
  const { daemon, pin } = await start()
  away(cluster)
  for (const index of [1, 2]) t.equal(await pin(index), 202)
  const { stdout } = await command('list')
  t.match(stdout, /^NUMBER +ACCEPTED +ENCODER +CID +UNTIL\n/)
  t.equal(stdout.split('\n').length, 4)
  daemon.process.kill('SIGKILL')
  await daemon.exited
  const lines = (await command('list', '--json')).stdout.trimEnd().split('\n')
  t.match(
    lines.map((line) => JSON.parse(line) as object),
    [
      { seq: 1, encoder: 'alpha', keyId: 'k1', cid: generatedCid(1), options: {}, until: null },
      { seq: 2, cid: generatedCid(2) },
    ],
  )
  t.match(await command('replay'), { code: 1, stderr: /no answer from the daemon/ })
})

t.test('waiting pins can be retried and dropped by command', async (t) => {
  const { cluster, start, command } = await served(t)
  const { daemon, pin } = await start()
  const back = away(cluster)
  for (const index of [1, 2, 3, 4]) t.equal(await pin(index), 202)
  t.match(await command('drop'), {
    code: 2,
    stderr: /--number, --cid and --encoder, or --all, or --rejected/,
  })
  t.match(await command('drop', '--all', '--number', '1'), { code: 2 })
  t.match(await command('drop', '--rejected', '--all'), { code: 2 })
  t.match(await command('drop', '--cid', 'nonsense'), { code: 2 })
  t.match(await command('drop', '--encoder', 'beta'), {
    code: 1,
    stdout: '',
    stderr: /no waiting pin matches, so nothing was dropped; 4 wait/,
  })
  t.match(await command('drop', '--number', '1'), { stdout: 'dropped 1 pin; 3 wait\n' })
  t.match(await command('drop', '--cid', generatedCid(2)), {
    stdout: 'dropped 1 pin; 2 wait\n',
  })
  t.match(await command('replay'), { stdout: '2 pins wait: retrying now\n' })
  cluster.pins.clear()
  back()
  await daemon.logged(emptied)
  t.same([...cluster.pins.keys()].sort(), [generatedCid(3), generatedCid(4)].sort())
})

t.test(
  'an entry has the name that its encoder has now, in the list, drops and the log',
  async (t) => {
    const other = generateKey()
    const keys = (of: string) => [{ id: 'k1', sha256: digestOf(of) }]
    const [first, second] = [
      { leaseId: 'first0000000', keys: keys(key) },
      { leaseId: 'second000000', keys: keys(other) },
    ]
    const settings = { encoders: { alpha: first, beta: second } }
    const { cluster, start, command, write, path } = await served(t, settings)
    const { daemon, ask } = await start()
    const back = away(cluster)
    for (const index of [1, 2]) t.equal(await ask('POST', index, key), 202)
    for (const index of [3, 4, 5]) t.equal(await ask('POST', index, other), 202)
    const list = async () => {
      const { stdout } = await command('list')
      return stdout.match(/(?<=Z +)[a-z]\S*(?: \(removed\))?(?= +Qm)/g)
    }
    write({ encoders: { alpha: second, gamma: first } })
    t.equal((await pinwarden('reload', '-c', path)).code, 0)
    t.same(await list(), ['gamma', 'gamma', 'alpha', 'alpha', 'alpha'])
    t.match(await command('drop', '--encoder', 'beta'), { code: 1, stderr: /no waiting pin/ })
    t.match(await command('drop', '--encoder', 'gamma', '--cid', generatedCid(3)), { code: 1 })
    t.match(await command('drop', '--encoder', 'alpha', '--cid', generatedCid(3)), { code: 0 })
    write({ encoders: { alpha: first } })
    t.equal((await pinwarden('reload', '-c', path)).code, 0)
    t.same(await list(), ['alpha', 'alpha', 'beta (removed)', 'beta (removed)'])
    t.match(await command('drop', '--encoder', 'beta', '--cid', generatedCid(4)), { code: 0 })
    daemon.process.kill('SIGKILL')
    await daemon.exited
    t.same(await list(), ['alpha', 'alpha', 'beta (removed)'], 'without a daemon, too')
    write({ encoders: { alpha: second, gamma: first } })
    back()
    const again = await start()
    const replayed = await again.daemon.logged('replayed a pin of the journal')
    t.match(replayed, { encoder: /gamma|alpha/ })
    t.equal(replayed.encoder, replayed.cid === generatedCid(5) ? 'alpha' : 'gamma')
  },
)

t.test('what an operator drops is gone from the disk with the answer, and counted', async (t) => {
  const { cluster, start, command } = await served(t)
  const { daemon, pin } = await start()
  away(cluster)
  for (const index of [1, 2, 3]) t.equal(await pin(index), 202)
  t.match(await command('drop', '--number', '3'), { stdout: 'dropped 1 pin; 2 wait\n' })
  t.match(await command('drop', '--all'), { stdout: 'dropped 2 pins; none waits\n' })
  daemon.process.kill('SIGKILL')
  await daemon.exited
  t.equal((await command('list')).stdout, 'nothing waits\n')
})

t.test('permanently refused pins are listed and dropped separately', async (t) => {
  const { cluster, start, command } = await served(t)
  const { daemon, pin } = await start()
  const back = away(cluster)
  t.equal(await pin(1), 202)
  const refuses = cluster.behave({ method: 'POST' }, { kind: 'status', status: 400, body: 'no' })
  back()
  await daemon.logged(refused)
  refuses()
  t.equal((await command('list')).stdout, 'nothing waits\n')
  t.match((await command('list', '--rejected')).stdout, /^NUMBER .* WHY\n\d+ .* no *\n$/)
  t.match(await command('drop', '--all'), { stdout: 'nothing waits: nothing was dropped\n' })
  t.match(await command('drop', '--rejected'), { stdout: 'dropped 1 pin; none waits\n' })
  t.match(await command('drop', '--rejected'), { code: 0, stdout: /^nothing was rejected: / })
  t.equal((await command('list', '--rejected')).stdout, 'nothing was rejected\n')
  daemon.process.kill('SIGTERM')
  await daemon.exited
  t.equal((await command('list', '--rejected')).stdout, 'nothing was rejected\n', 'for good')
})

t.test('a daemon that refuses pins during an outage has nothing to drop', async (t) => {
  const { start, command } = await served(t, { onOutage: 'refuse' })
  await start()
  t.match(await command('drop', '--all'), { code: 0, stdout: /^nothing waits: nothing was/ })
  t.match(await command('replay'), { code: 0, stdout: 'nothing waits\n' })
})

t.test('kill -9 in the middle of an outage loses no pin that was accepted', async (t) => {
  const { cluster, start } = await served(t)
  const back = away(cluster)
  const accepted = new Set<number>()
  let next = 0
  for (let kills = 0; kills < 3; kills++) {
    const { daemon, pin } = await start()
    const until = accepted.size + 200
    const clients = Array.from({ length: 16 }, async () => {
      for (;;) {
        const index = next++
        const status = await pin(index).catch(() => 0)
        if (status === 0) return
        if (status === 202) accepted.add(index)
        else t.fail(`status ${status}`)
        if (accepted.size === until) daemon.process.kill('SIGKILL')
      }
    })
    await Promise.all(clients)
    await daemon.exited
  }
  t.ok(accepted.size >= 600)

  back()
  // Once more while they are made.
  const { daemon } = await start()
  await daemon.logged('replayed a pin of the journal')
  daemon.process.kill('SIGKILL')
  await daemon.exited
  const last = await start()
  if (cluster.pins.size < accepted.size) await last.daemon.logged(emptied)
  const lost = [...accepted].filter((index) => !cluster.pins.has(generatedCid(index)))
  t.same(lost, [])
  t.ok(cluster.pins.size < accepted.size + 3 * 16 + 1, 'and hardly one that was not')
})

t.test("a daemon whose fallback is the cluster's own Kubo does not start", async (t) => {
  const kubo = await startFakeKubo(t, kuboId)
  const { path } = await served(t, { fallback: { kubo: { url: kubo.url } } })
  const daemon = run(t, ['serve', '--config', path])
  t.same(await daemon.exited, { code: 1, signal: null })
  t.match(daemon.stderr, 'fallback.kubo.url: a Kubo that the cluster uses; use another')
  t.same(kubo.asked, ['id'])
})

t.test('a fallback needs a journal', async (t) => {
  const fallback = { kubo: { url: 'http://127.0.0.1:5002' } }
  const { path } = await served(t, { onOutage: 'refuse', fallback })
  t.match(await pinwarden('check', '-c', path), {
    code: 1,
    stderr: 'fallback: "onOutage": "refuse"; use "onOutage": "journal"',
  })
  const { path: fine } = await served(t, { fallback })
  t.equal((await pinwarden('check', '-c', fine)).code, 0)
})
