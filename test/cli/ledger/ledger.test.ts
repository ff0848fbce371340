/** The commands around the ledger, with the real daemon that has it and without one. */
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { LedgerFile } from '../../../src/ledger/storage/ledger-file.js'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { pinwarden } from '../../support/pinwarden.js'
import { prepareDaemon } from '../../support/prepare-daemon.js'
import { noRedis, TestRedis } from '../../support/redis.js'

const key = generateKey()

/** A daemon that has told an encoder 200 of one pin, and 202 of another. */
async function served(t: Test, settings: object = { onOutage: 'journal' }) {
  const { start, command, file, ...prepared } = await prepareDaemon(t, {
    cluster: { health: { failuresMax: 1 } },
    journal: { directory: 'state' },
    encoders: { alpha: { keys: [{ id: 'k1', sha256: digestOf(key) }] } },
    ...settings,
  })
  return {
    ...prepared,
    at: file,
    start: async () => {
      const { ask, ...started } = await start()
      return { ...started, pin: (index: number) => ask('POST', index, key) }
    },
    command: (...argv: string[]) => command('ledger', ...argv),
    ledger: file('state/ledger.db'),
  }
}

/** With a pin that was written, and one that waits. */
async function used(t: Test) {
  const { cluster, start, ...rest } = await served(t)
  const running = await start()
  t.equal(await running.pin(1), 200)
  cluster.behave({}, { kind: 'reset' })
  t.equal(await running.pin(2), 202)
  return { cluster, start, ...rest, ...running }
}

const whole = /^gate +[0-9a-z]{8}\nrows +1\nleases +1\nqueue +1 waiting, 0 rejected\n/

t.test('ledger check sums up the ledger, with and without the daemon', async (t) => {
  const { command, end } = await used(t)
  for (const isRunning of [true, false]) {
    if (!isRunning) await end()
    const { code, stdout } = await command('check')
    t.match(stdout, whole)
    t.match(stdout, /^reported +0 missing, 0 unexpected$/m)
    t.match(stdout, /^copy +no$/m)
    t.match(stdout, /^problem +none$/m)
    t.equal(code, 0)
    const json = JSON.parse((await command('check', '--json')).stdout) as object
    t.match(json, { rows: 1, queue: 1, isCopy: false, problems: [] })
  }
})

t.test('a file that was replaced under the daemon is a problem', async (t) => {
  const { command, ledger } = await used(t)
  copyFileSync(ledger, `${ledger}.other`)
  renameSync(`${ledger}.other`, ledger)
  const { code, stdout } = await command('check')
  t.match(stdout, `problem   ${ledger} was removed or replaced while it was open\n`)
  t.equal(code, 1)
})

t.test('a damaged ledger is reported, and left for the daemon to set aside', async (t) => {
  const { command, end, ledger, start } = await used(t)
  await end()
  const bytes = readFileSync(ledger)
  writeFileSync(ledger, bytes.fill(0xff, 4096, 16_384))
  const { code, stderr } = await command('check')
  t.equal(code, 1)
  t.match(stderr, `${ledger} is damaged: the daemon sets it aside at its next start`)
  t.same(readFileSync(ledger), bytes)
  const { daemon } = await start()
  await daemon.logged('the ledger was damaged; the gate began a new one')
})

t.test('ledger backup copies a ledger, whether it is in use or not', async (t) => {
  const { command, at, end } = await used(t)
  for (const name of ['of-the-daemon.db', 'of-the-file.db']) {
    const copy = at(name)
    const { code, stdout } = await command('backup', copy)
    t.equal(stdout, `backed up the ledger to ${copy}\n`)
    t.equal(code, 0)
    t.equal(statSync(copy).mode & 0o777, 0o600)
    t.match(await command('backup', copy), {
      code: 1,
      stderr: /already exists\nhint: name a new/,
    })
    const file = new LedgerFile({ path: copy })
    t.match(file.check(), { rows: 1, queue: 1, isCopy: true, problems: [] })
    file.close()
    await end()
  }
  t.match(await command('backup', at('no/such/directory.db')), { code: 1 })
  t.same(readdirSync(at('state')).sort(), ['ledger.db', 'ledger.reserve'])
})

t.test('a restored backup repairs nothing before it is trusted', async (t) => {
  const { cluster, command, at, ledger, end, start, write } = await used(t)
  t.equal((await command('backup', at('copy.db'))).code, 0)
  t.match(await command('trust'), { code: 1, stderr: /a daemon is using .*\nhint: stop it first/ })
  await end()
  t.match(await command('trust'), { code: 1, stderr: /is not a copy/ })
  const before = JSON.parse((await command('check', '--json')).stdout) as { gateId: string }
  writeFileSync(ledger, readFileSync(at('copy.db')))
  const copy = await start()
  t.match((await command('check')).stdout, /^copy +yes: the gate makes no repairs from it before/m)
  await copy.daemon.logged(notice)
  await copy.end()
  write({ store: { redis: 'redis://127.0.0.1:1' } })
  const { code, stdout } = await command('trust')
  write()
  t.equal(code, 0)
  const [, id, forgotten] =
    /new id ([0-9a-z]{8})\n.* ledger forget ([0-9a-z]{8})\n1 pins were waiting/.exec(stdout) ?? []
  t.not(id, before.gateId)
  t.equal(forgotten, before.gateId, 'the other gates wait for it')
  t.match((await command('check')).stdout, /^queue +0 waiting, 1 rejected$/m)
  cluster.reset()
  const again = await start()
  t.match((await command('check')).stdout, new RegExp(`^gate +${String(id)}\n`))
  t.equal(again.daemon.lines().filter(({ msg }) => msg === notice).length, 0)
  await again.end()
})

const notice = 'opened a copy of a ledger; it repairs nothing before it is trusted'

t.test('a ledger in memory can be checked, and there is nothing to back up', async (t) => {
  const { start, command, at } = await served(t, { onOutage: 'refuse' })
  t.match(await command('check'), { code: 1, stderr: /there is no ledger at/ })
  await start()
  t.match(await command('check'), { code: 0, stdout: /^rows +0$/m })
  t.match(await command('backup', at('copy.db')), { code: 1, stderr: /is kept in memory/ })
})

t.test('the deprecated name of the setting works, and causes one warning', async (t) => {
  const settings = { onOutage: 'journal', lookBack: { directory: 'older' } }
  const { start, command, at } = await served(t, settings)
  const { daemon, pin, end } = await start()
  const warning = 'lookBack: its name is ledger now; the next release does not know the older one'
  t.equal(daemon.lines().filter((line) => line.warning === warning).length, 1)
  t.equal(await pin(1), 200)
  await end()
  t.match((await command('check')).stdout, /^rows +1$/m)
  t.ok(existsSync(at('older/ledger.db')))
  t.match((await pinwarden('check', '-c', at('config.json'))).stderr, `warning: ${warning}`)
})

t.test('a daemon that cannot be asked keeps its ledger', async (t) => {
  const { start, command } = await served(t, { onOutage: 'journal', control: undefined })
  await start()
  t.match(await command('check'), { code: 1, stderr: /no answer from the daemon: / })
})

t.test(
  'ledger forget removes a gate that will never return, once',
  { skip: noRedis },
  async (t) => {
    const redis = await TestRedis.start(t)
    const store = new Redis(redis.url)
    const [gates, gone, running] = ['pinwarden:{gates}', 'x3k9q2ab', 'r5m2w8cd']
    const state = { v: 1, round: '1.1', applied: {}, isClosed: false, gone: [] }
    for (const id of [gone, running]) await store.hset(gates, id, JSON.stringify(state))
    const settings = { onOutage: 'journal', store: { redis: redis.url, timeoutMs: 2000 } }
    const { start, command } = await served(t, settings)
    const { daemon } = await start()
    // It writes its own state in the step that reads the others'.
    while ((await store.hlen(gates)) < 3) await new Promise(setImmediate)
    const [own = ''] = (await store.hkeys(gates)).filter((id) => ![gone, running].includes(id))
    const round = async () =>
      (JSON.parse((await store.hget(gates, own)) ?? '') as { round: string }).round
    const heard = await round()
    await store.hset(`${gates}:${own}`, running, JSON.stringify({ heard, news: [] }))
    while ((await round()) === heard) await new Promise(setImmediate)
    t.match(await command('forget', running), { code: 1, stderr: /r5m2w8cd runs.*stop it first/ })
    t.match(await command('forget', 'aaaaaaaa'), { code: 1, stderr: /aaaaaaaa/ })
    t.match(await command('forget', gone), { code: 0, stdout: new RegExp(gone) })
    t.match(await daemon.logged('an operator had the ledger forget a gate'), { gate: gone })
    t.match(await command('forget', gone), { code: 1, stderr: new RegExp(gone) })
    await store.quit()
  },
)
