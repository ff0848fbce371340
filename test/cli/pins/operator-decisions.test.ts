/** What an operator decides, and long commands: over the control socket of the real daemon. */
import { once } from 'node:events'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { askControl } from '../../../src/cli/ask-control.js'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import type { Config } from '../../../src/settings/schema/schema.js'
import { hourMs } from '../../../src/time/units.js'
import { type Daemon, run } from '../../support/daemon.js'
import { generatedCid as cid } from '../../support/fake-cluster/index.js'
import { pinwarden } from '../../support/pinwarden.js'
import { prepareDaemon } from '../../support/prepare-daemon.js'

const keys = { alpha: generateKey(), beta: generateKey() }
const leaseIds = { alpha: 'alpha0000000', beta: 'beta00000000' }
type Name = keyof typeof keys

async function prepared(t: Test, settings: object = {}) {
  const encoder = (name: Name) => ({
    leaseId: leaseIds[name],
    keys: [{ id: 'k1', sha256: digestOf(keys[name]) }],
  })
  const { cluster, file, path, start, command } = await prepareDaemon(t, {
    ledger: { directory: 'state' },
    cluster: { health: { failuresMax: 1, intervalMs: 1000 } },
    onOutage: 'journal',
    encoders: { alpha: encoder('alpha'), beta: encoder('beta') },
    ...settings,
  })
  const holders = (index: number) =>
    [...(cluster.pins.get(cid(index))?.metadata?.keys() ?? [])]
      .map((key) => key.replace('pinwarden.lease.', ''))
      .sort()
  return {
    ...{ cluster, file, path, holders },
    start: async () => {
      const { daemon, ask } = await start()
      return {
        daemon,
        ask: (name: Name, method: string, index: number, query?: string) =>
          ask(method, index, keys[name], query),
      }
    },
    command: (...argv: string[]) => command('pins', ...argv),
  }
}

const ended = async (daemon: Daemon, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
  daemon.process.kill(signal)
  return daemon.exited
}

const released = 'an operator released a pin for good'

t.test(
  'changes outside the gate are planned and decided on, except for pins that changed since',
  async (t) => {
    const { cluster, file, start, command, holders } = await prepared(t)
    const first = await start()
    const both = ['alpha', 'beta'] as const
    for (const name of both)
      for (const index of [1, 2, 3]) t.equal(await first.ask(name, 'POST', index, '?name=n'), 200)
    for (const index of [4, 5]) t.equal(await first.ask('alpha', 'POST', index), 200)
    const metadata = new Map([4, 5].map((index) => [index, cluster.pins.get(cid(index))?.metadata]))
    for (const index of [4, 5]) t.equal(await first.ask('alpha', 'DELETE', index), 200)
    await ended(first.daemon)
    // What was written within the last minutes is not judged: reads may lag behind.
    const ledger = new DatabaseSync(file('state/ledger.db'))
    ledger.exec(`UPDATE pin SET at = at - ${hourMs}`)
    ledger.close()
    const { daemon, ask } = await start()
    await daemon.logged('verified recent writes')
    const was = cluster.pins.get(cid(1))
    for (const index of [1, 2, 3]) cluster.pins.delete(cid(index))
    for (const [index, kept] of metadata) cluster.addPin(cid(index), { metadata: kept ?? null })

    const plan = async (kind: string) => {
      const name = file(`${kind}.txt`)
      rmSync(name, { force: true })
      const { code, stderr } = await command('plan', `--${kind}`, '--out', name)
      t.equal(code, 0, stderr)
      return { name, stderr, lines: readFileSync(name, 'utf8').split('\n').slice(1, -2) }
    }
    const missing = await plan('missing')
    t.equal(missing.lines.length, 3)
    t.match(missing.stderr, /3 {2}alpha\n +3 {2}beta\n3 pins are owed/)
    const unexpected = await plan('unexpected')
    t.equal(unexpected.lines.length, 2)
    t.match((await command('show', cid(1))).stdout, /^state +missing/m)
    t.notOk(cluster.pins.has(cid(1)), 'nothing was changed')

    t.equal(await ask('alpha', 'POST', 2), 200)
    t.same(holders(2), [leaseIds.alpha, leaseIds.beta], 'a holder lost nothing by that')
    t.equal(await ask('alpha', 'DELETE', 3), 200)
    t.same(holders(3), [leaseIds.beta])
    const apply = await command('apply', missing.name)
    t.match(apply, { code: 0, stdout: /^1 pinned-again, 2 changed-since\n|^2 changed-since, 1/ })
    const now = cluster.pins.get(cid(1))
    t.same(now?.metadata, was?.metadata)
    t.same([now?.name, now?.expireAt], [was?.name, was?.expireAt])
    t.same((await plan('missing')).lines, [])
    cluster.pins.delete(cid(1))
    const later = await plan('missing')
    t.same(later.lines, [], 'it was written a moment ago')
    t.match(
      later.stderr,
      /^0 pins are owed.*\. 1 more may be: .*Plan again after 20\S+Z \(in 6 min\)/m,
    )

    const [head, ...lines] = readFileSync(unexpected.name, 'utf8').split('\n')
    const of = (index: number) => lines.find((line) => line.startsWith(cid(index))) ?? ''
    writeFileSync(unexpected.name, [head, of(4), '# end of the plan\n'].join('\n'))
    t.equal((await command('apply', unexpected.name)).stdout, '1 unpinned\n')
    t.notOk(cluster.pins.has(cid(4)))
    writeFileSync(unexpected.name, [head, of(5), '# end of the plan\n'].join('\n'))
    t.equal((await command('apply', unexpected.name, '--as-is')).stdout, '1 accepted\n')
    t.ok(cluster.pins.has(cid(5)))
    t.match(await command('apply', unexpected.name, '--as-is'), { stdout: 'nothing left to do\n' })
    t.match(await command('apply', unexpected.name), {
      ...{ code: 1, stdout: /^1 changed-since/, stderr: /belongs to another plan, ledger or dir/ },
    })
    t.same((await plan('unexpected')).lines, [])
    t.equal(await ask('alpha', 'DELETE', 5), 200, 'it is its again')
  },
)

t.test(
  'after unpins were undone at the cluster, a copy of the ledger lets them stay',
  async (t) => {
    const { cluster, file, start, command, holders } = await prepared(t)
    const first = await start()
    for (const index of [1, 2]) t.equal(await first.ask('alpha', 'POST', index), 200)
    const metadata = [1, 2].map((index) => cluster.pins.get(cid(index))?.metadata ?? null)
    for (const index of [1, 2]) t.equal(await first.ask('alpha', 'DELETE', index), 200)
    await ended(first.daemon)
    const config = configOf(first.daemon)
    t.match(await pinwarden('ledger', 'backup', file('copy'), ...config), { code: 0 })
    rmSync(file('state/ledger.db'))
    renameSync(file('copy'), file('state/ledger.db'))
    t.match(await pinwarden('ledger', 'trust', ...config), { code: 0 })
    const ledger = new DatabaseSync(file('state/ledger.db'))
    ledger.exec(`UPDATE pin SET at = at - ${hourMs}`)
    ledger.close()
    metadata.forEach((kept, at) => cluster.addPin(cid(at + 1), { metadata: kept }))
    const before = cluster.requests.length
    const { ask, daemon } = await start()
    const plan = file('back.txt')
    t.match((await command('plan', '--unexpected', '--out', plan)).stderr, /^2 pins were released/m)
    t.equal((await command('apply', plan, '--as-is')).stdout, '2 accepted\n')
    t.same(holders(1), [leaseIds.alpha])
    t.notOk(cluster.requests.slice(before).some(({ method }) => method === 'DELETE'))
    t.equal(await ask('alpha', 'DELETE', 2), 200, 'its encoder holds it again')

    await ended(daemon)
    rmSync(file('state/ledger.db'))
    await start()
    const apply = await command('apply', plan, '--as-is')
    t.match(apply.stdout, '2 changed-since', 'what one ledger has done, another has not')
  },
)

t.test('a release is final: crashes, late checks and the queue bring nothing back', async (t) => {
  const { cluster, start, command, holders } = await prepared(t, { unpin: { graceSeconds: 3600 } })
  const first = await start()
  for (const name of ['alpha', 'beta'] as const) t.equal(await first.ask(name, 'POST', 1), 200)
  cluster.addPin(cid(2), { name: 'without a lease' })
  t.equal(await first.ask('alpha', 'POST', 3), 200)
  t.equal(await first.ask('alpha', 'DELETE', 3), 200)
  t.ok(cluster.pins.has(cid(3)), 'kept for its grace')
  const forget = cluster.pins.mark()
  const release = (...indexes: number[]) =>
    command('release', ...indexes.map((index) => cid(index)), '--reason', 'order 12/26')
  t.match(await command('release', cid(1)), { code: 2 })
  t.match(await release(1, 2, 3), { code: 0, stdout: '3 unpinned\n' })
  t.equal(cluster.pins.size, 0)
  // The three are released at once: their lines come in any order.
  const audits = await Promise.all([0, 1, 2].map((index) => first.daemon.logged(released, index)))
  const audit = audits.find((line) => line.cid === cid(1))
  t.match(audit, { level: 'warn', cid: cid(1), reason: 'order 12/26', encoders: ['alpha', 'beta'] })
  t.match(await command('show', cid(2)), {
    code: 1,
    stderr: /released this pin for good at 20\d\d-\S+Z: order 12/,
  })
  const { stderr } = await command('restore', cid(2))
  t.match(stderr, /released this pin for good at/)
  t.notMatch(stderr, /grace/)

  // The cluster forgets the last writes, and comes back.
  await ended(first.daemon)
  forget()
  t.equal(cluster.pins.size, 3)
  const second = await start()
  await second.daemon.logged('verified recent writes')
  t.equal(cluster.pins.size, 0)

  // It is down: queued entries of the pin are dropped, and it is unpinned when the cluster is back.
  for (const index of [4, 5]) t.equal(await second.ask('alpha', 'POST', index), 200)
  const comeBack = cluster.behave({ path: /./ }, { kind: 'reset' })
  for (const index of [5, 6]) t.equal(await second.ask('beta', 'POST', index), 202)
  const waiting = await release(4, 5, 6)
  t.match(waiting, {
    code: 0,
    stdout: /^3 waiting\nwaiting: the cluster is down, or another/,
  })
  t.same((await pinwarden('journal', 'list', ...configOf(second.daemon))).stdout, 'nothing waits\n')
  await ended(second.daemon, 'SIGKILL')
  comeBack()
  const third = await start()
  await third.daemon.logged('verified recent writes')
  // A release while the cluster was down is a separate doubt, and may end a moment later.
  while (cluster.pins.size > 0) await third.ask('alpha', 'GET', 4)
  t.equal(await third.ask('beta', 'POST', 5), 200, 'a later request is another one')
  t.same(holders(5), [leaseIds.beta])
})

const configOf = (daemon: Daemon): string[] => ['-c', daemon.process.spawnargs.at(-1) ?? '']

t.test(
  'a stop finishes the changes in progress, begins no other, and the command says so',
  async (t) => {
    const { cluster, file, start, command, holders } = await prepared(t)
    const { daemon } = await start()
    const all = Array.from({ length: 40 }, (_, index) => index)
    for (const index of all) cluster.addPin(cid(index))
    writeFileSync(file('cids'), all.map((index) => `${cid(index)}\n`).join(''))
    const { promise: until, resolve: goOn } = Promise.withResolvers<undefined>()
    cluster.behave({ method: 'POST' }, { kind: 'hold', until })
    const adopt = () => command('adopt', '--encoder', 'alpha', '--cids', file('cids'))
    const adopting = adopt()
    while (!cluster.requests.some(({ method }) => method === 'POST')) await cluster.nextRequest()
    const exited = ended(daemon)
    await daemon.logged('began to stop; requests in flight are finished first')
    goOn(undefined)
    const { code, stderr } = await adopting
    t.equal(code, 1)
    const [, done] =
      /the daemon is stopping: (\d+) are done, and no other change began\n/.exec(stderr) ?? []
    t.match(stderr, /hint: run the same command again/)
    t.same(await exited, { code: 0, signal: null })
    const adopted = all.filter((index) => holders(index).length > 0)
    t.equal(adopted.length, Number(done))
    t.ok(adopted.length > 0 && adopted.length <= 8)
    t.same(
      daemon.lines().filter(({ level }) => level === 'error' || level === 'warn'),
      [],
    )
    cluster.reset()
    await start()
    t.match((await adopt()).stdout, `${adopted.length} held-already`)
    t.equal(all.filter((index) => holders(index).length > 0).length, 40)
  },
)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  t.test(
    `${signal} ends a long command after the changes in progress, and it says so`,
    async (t) => {
      const { cluster, file, start, path } = await prepared(t)
      await start()
      for (let index = 0; index < 100; index++) cluster.addPin(cid(index))
      writeFileSync(file('cids'), Array.from({ length: 100 }, (_, at) => `${cid(at)}\n`).join(''))
      const { promise: until, resolve: goOn } = Promise.withResolvers<undefined>()
      cluster.behave({ method: 'POST' }, { kind: 'hold', until })
      const args = ['--encoder', 'alpha', '--cids', file('cids'), '-c', path]
      const adopt = run(t, ['pins', 'adopt', ...args])
      while (!cluster.requests.some(({ method }) => method === 'POST')) await cluster.nextRequest()
      adopt.process.kill(signal)
      goOn(undefined)
      t.same(await adopt.exited, { code: 1, signal: null })
      t.match(
        adopt.stderr,
        /interrupted: 64 are done, and no other change began\nhint: run the same/,
      )
    },
  )

t.test(
  'a working daemon gives signs of life, and the command reports one that does not',
  async (t) => {
    const { cluster, file, start } = await prepared(t)
    await start()
    cluster.addPin(cid(1))
    const { promise: until, resolve: goOn } = Promise.withResolvers<undefined>()
    cluster.behave({ method: 'POST' }, { kind: 'hold', until })
    const asked = request({
      ...{ socketPath: file('control.sock'), method: 'POST', path: '/adopt', agent: false },
      headers: { 'content-type': 'application/json' },
    })
    asked.end(JSON.stringify({ encoder: 'alpha', cids: [cid(1)] }))
    const [sign] = (await once(asked, 'information')) as [{ statusCode: number }]
    t.equal(sign.statusCode, 102)
    goOn(undefined)
    const [answer] = (await once(asked, 'response')) as [{ statusCode: number }]
    t.equal(answer.statusCode, 200)

    const silent = createServer(() => undefined).listen(file('silent.sock'))
    await once(silent, 'listening')
    t.teardown(() => {
      silent.close().closeAllConnections()
    })
    const config = { control: { socket: file('silent.sock') } } as unknown as Config
    await t.rejects(askControl(config, 'GET', '/ledger/check', undefined, 50), {
      name: 'CommandError',
      message: /the daemon at .*silent.sock has given no sign of life for 0.05 s/,
      hint: /SIGSTOP/,
    })
  },
)
