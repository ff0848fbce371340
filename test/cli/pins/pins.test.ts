/** What an operator does to pins: over the control socket of the real daemon. */
import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { Agent, request } from 'undici'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { run } from '../../support/daemon.js'
import { generatedCid, startFakeCluster } from '../../support/fake-cluster/index.js'
import { pinwarden, pinwardenWith } from '../../support/pinwarden.js'
import { prepareDaemon } from '../../support/prepare-daemon.js'

const key = generateKey()
const [alphaId, betaId] = ['alpha0000000', 'beta00000000']
const cid = (index: number) => generatedCid(index)

async function served(t: Test, settings: object = {}) {
  const { start, ...prepared } = await prepareDaemon(t, {
    encoders: {
      alpha: { leaseId: alphaId, keys: [{ id: 'k1', sha256: digestOf(key) }] },
      beta: { leaseId: betaId },
    },
    ...settings,
  })
  const { daemon, ask } = await start()
  return {
    ...prepared,
    daemon,
    ask: (method: string, index: number) => ask(method, index, key),
  }
}

const holdersIn = (metadata: ReadonlyMap<string, string> | null | undefined): string[] =>
  [...(metadata?.keys() ?? [])].map((key) => key.replace('pinwarden.lease.', '')).sort()

t.test('the socket is for its owner alone', async (t) => {
  const { file } = await served(t)
  t.equal(statSync(file('control.sock')).mode & 0o777, 0o600)
})

t.test('pins adopt gives older pins to an encoder', async (t) => {
  const { cluster, file, ask, command } = await served(t)
  for (const index of [0, 1, 2]) cluster.addPin(cid(index), { name: `old ${index}` })
  writeFileSync(file('cids'), `${cid(0)}\n${cid(1)}\n\n${cid(7)}\nnonsense\n`)
  t.equal(await ask('DELETE', 0), 403, "it was the operator's")
  const { code, stdout, stderr } = await command(
    'pins',
    'adopt',
    '--encoder',
    'alpha',
    '--cids',
    file('cids'),
  )
  t.equal(stdout, '2 adopted, 1 not-pinned, 1 bad-cid\n')
  t.match(stderr, `${cid(7)}: not-pinned\nnonsense: bad-cid\n`)
  t.equal(code, 1)
  t.same(holdersIn(cluster.pins.get(cid(0))?.metadata), [alphaId])
  t.equal(cluster.pins.get(cid(0))?.name, 'old 0')
  const since = cluster.pins.get(cid(0))?.metadata?.get(`pinwarden.lease.${alphaId}`)
  t.match(since, /^20250516T100640Z\/\.\.\/[0-9a-z]{8}\.\d+$/, 'since it was pinned')
  t.same(holdersIn(cluster.pins.get(cid(2))?.metadata), [])
  t.equal(await ask('DELETE', 0), 200)
  const again = await pinwardenWith(
    {
      stdin: Readable.from([
        Buffer.from(`${cid(1)}
`),
      ]),
    },
    ...['pins', 'adopt', '--encoder', 'beta', '--cids', '-', '-c', file('config.json')],
  )
  t.equal(again.stdout, '1 adopted\n')
  t.same(holdersIn(cluster.pins.get(cid(1))?.metadata), [alphaId, betaId])
})

t.test('from a log, what an encoder pinned and did not unpin', async (t) => {
  const { cluster, file, command } = await served(t)
  for (const index of [0, 1, 2]) cluster.addPin(cid(index))
  const line = (encoder: string, permission: string, index: number, status = 200) =>
    JSON.stringify({ msg: 'request', encoder, permission, cid: cid(index), status })
  const lines = [
    line('beta', 'pin', 0),
    line('beta', 'pin', 1),
    line('beta', 'unpin', 1),
    line('alpha', 'pin', 2),
    line('beta', 'pin', 3, 502),
    '{"half',
  ]
  writeFileSync(file('old.log'), lines.join('\n'))
  const adopt = await command('pins', 'adopt', '--encoder', 'beta', '--from-log', file('old.log'))
  t.match(adopt, { code: 0, stdout: '1 adopted\n', stderr: '' })
  const again = await command('pins', 'adopt', '--encoder', 'beta', '--from-log', file('old.log'))
  t.match(again, { code: 0, stdout: '1 held-already: nothing was changed\n' })
  t.match(await command('pins', 'adopt', '--encoder', 'beta', '--from-log', file('no.log')), {
    ...{ code: 1, stderr: /error: \S+no\.log does not exist/ },
  })
  writeFileSync(file('gone.log'), line('beta', 'pin', 7))
  t.match(await command('pins', 'adopt', '--encoder', 'beta', '--from-log', file('gone.log')), {
    code: 1,
    stdout: '1 not-pinned: nothing was changed\n',
  })
  t.same(holdersIn(cluster.pins.get(cid(0))?.metadata), [betaId])
})

t.test('pins show and list say who holds what', async (t) => {
  const journal = { directory: mkdtempSync(join(tmpdir(), 'pinwarden-journal-')) }
  t.teardown(() => {
    rmSync(journal.directory, { recursive: true })
  })
  const { ask, cluster, command } = await served(t, { onOutage: 'journal', journal })
  for (const index of [3, 4, 6]) t.equal(await ask('POST', index), 200)
  cluster.pins.delete(cid(6))
  const lacking = await command('pins', 'show', cid(6))
  t.match(lacking.stdout, /^state +held$/m, 'it is owed')
  t.match(lacking.stdout, /^cluster +does not have it/m)
  t.match(lacking.stdout, /^alpha +alpha0000000/m)
  const { metadata = null } = cluster.pins.get(cid(4)) ?? {}
  t.equal(await ask('DELETE', 6), 200, 'its lease ended')
  t.equal(await ask('DELETE', 4), 200)
  cluster.addPin(cid(4), { metadata, name: 'back' })
  const back = await command('pins', 'show', cid(4))
  t.match(back.stdout, /^name +back\nstate +released, but the cluster has it.*\ncluster +has it$/m)
  t.notMatch(back.stdout, 'alpha')
  t.equal(await ask('POST', 4), 200)
  const show = await command('pins', 'show', cid(3))
  t.equal(show.code, 0)
  t.match(show.stdout, /^state +held$/m)
  t.match(show.stdout, /^cluster +has it$/m)
  t.match(show.stdout, /^alpha +alpha0000000 +20\S+Z +no end$/m)
  t.match(JSON.parse((await command('pins', 'show', cid(3), '--json')).stdout), {
    cid: cid(3),
    leases: [{ encoder: 'alpha', leaseId: alphaId, until: null }],
  })
  const list = await command('pins', 'list', '--encoder', 'alpha')
  t.equal(list.stdout, `${[cid(3), cid(4)].sort().join('\n')}\n`)
  const json = (await command('pins', 'list', '--encoder', 'alpha', '--json')).stdout.split('\n')
  t.same(JSON.parse(json[0] ?? ''), { cid: [cid(3), cid(4)].sort()[0], encoder: 'alpha' })
  t.equal(json.length, 3, 'one pin a line')
  t.match(await command('pins', 'list', '--encoder', 'beta'), {
    ...{ code: 0, stdout: '', stderr: 'beta holds no pins\n' },
  })
  t.match(await command('pins', 'show', cid(9)), { code: 1, stderr: /not part of the pinset/ })
  t.match(await command('pins', 'list', '--encoder', 'who'), { code: 1, stderr: /no encoder who/ })
  cluster.behave({ method: 'POST' }, { kind: 'reset' })
  for (const index of [4, 5]) t.equal(await ask('POST', index), 202)
  const waiting = await command('pins', 'list', '--encoder', 'alpha')
  t.same(waiting.stdout.split('\n').sort(), ['', cid(3), cid(4), cid(5)].sort())
  t.match(
    (await command('pins', 'show', cid(4))).stdout,
    /^state +held; one of its pins is waiting/m,
  )
  const five = await command('pins', 'show', cid(5))
  t.equal(five.code, 0)
  t.match(five.stdout, /^state +held by no encoder; one of its pins is waiting/m)
  t.match(five.stdout, /^cluster +does not have it/m)
  t.match(five.stdout, /^WAITS FOR .*\nalpha +alpha0000000 +20\S+Z +no end$/m)
  cluster.behave({ method: 'GET' }, { kind: 'reset' })
  const unknown = await command('pins', 'show', cid(5))
  t.match(unknown.stdout, /^cluster +unknown: it does not answer$/m)
  t.match(unknown.stdout, /^alpha +alpha0000000/m)
  const owed = (await command('pins', 'show', cid(4))).stdout
  t.match(owed, /^state +held; one.*\ncluster +unknown/m)
  t.match(owed, /^HELD BY .*\nalpha .*\n+WAITS FOR .*\nalpha /m)
})

t.test("text from a cluster or a file cannot move an operator's cursor", async (t) => {
  const { cluster, command, file, path } = await served(t)
  const evil = 'x\x1b[2J\r\x9b1m\u202e'
  cluster.addPin(cid(5), { name: evil })
  const show = await command('pins', 'show', cid(5))
  t.match(show.stdout, 'x\\u001b[2J\\u000d\\u009b1m\\u202e')
  const { stdout } = await command('pins', 'show', cid(5), '--json')
  t.match(JSON.parse(stdout), { name: evil }, 'JSON says the same')
  writeFileSync(file('cids'), `${evil}\n`)
  const adopt = await command('pins', 'adopt', '--encoder', 'beta', '--cids', file('cids'))
  const other = await startFakeCluster({ version: evil, peername: evil })
  t.teardown(() => other.close())
  const init = await pinwarden('init', '-c', `${path}.2`, '--cluster', other.url)
  for (const text of [show, adopt, init].flatMap(({ stdout, stderr }) => [stdout, stderr]))
    t.notMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/)
})

t.test('pins restore restores a pin that was unpinned', async (t) => {
  const { cluster, ask, command } = await served(t, { unpin: { graceSeconds: 3600 } })
  await ask('POST', 1)
  await ask('DELETE', 1)
  t.match((await command('pins', 'show', cid(1))).stdout, /^state +unpinned/m)
  const { metadata, ...kept } = cluster.pins.get(cid(1)) ?? {}
  const ended = [...(metadata ?? [])].map(
    ([key, value]) => [key, value.replace('/../', '/20200101T000000Z/')] as const,
  )
  cluster.addPin(cid(3), { ...kept, metadata: new Map(ended) })
  t.match(await command('pins', 'restore', cid(3)), {
    ...{ code: 0, stdout: /restored, but its former holders' leases have ended: the operator/ },
  })
  t.same(holdersIn(cluster.pins.get(cid(3))?.metadata), ['operator'])
  const restore = await command('pins', 'restore', cid(1))
  t.match(restore, { code: 0, stdout: `${cid(1)}: restored\n` })
  t.same(holdersIn(cluster.pins.get(cid(1))?.metadata), [alphaId])
  t.match(cluster.pins.get(cid(1))?.expireAt, /^0001/)
  t.equal(
    (await command('pins', 'restore', cid(1))).stdout,
    `${cid(1)}: held-already: nothing was changed\n`,
  )
  t.match(await command('pins', 'restore', cid(2)), { code: 1, stderr: /not-pinned\nhint: / })
})

t.test(
  'a plan says what would be released; apply skips renewed leases, and can continue',
  async (t) => {
    const { cluster, file, ask, command } = await served(t)
    const old = '20200101T000000Z/..'
    const lease = (holder: string) => new Map([[`pinwarden.lease.${holder}`, old]])
    for (let index = 0; index < 6; index++) cluster.addPin(cid(index), { metadata: lease(alphaId) })
    cluster.addPin(cid(6), { metadata: lease('gone00000000') })
    cluster.addPin(cid(7))
    cluster.addPin(cid(8), { metadata: new Map([...lease(alphaId), ...lease(betaId)]) })
    const plan = async (...options: string[]) => {
      const lines = (await command('pins', 'plan', ...options)).stdout.trim().split('\n')
      t.same([lines.shift(), lines.pop()], ['# pinwarden plan: release', '# end of the plan'])
      return lines.sort()
    }
    t.same(await plan('--removed'), [`${cid(6)} gone00000000 1577836800000 - -`])
    t.equal((await plan('--ownerless')).length, 1)
    t.equal((await plan('--encoder', 'beta', '--older-than', '1y')).length, 1)
    t.same(await plan('--encoder', 'alpha', '--older-than', '100y'), [])
    t.match(await command('pins', 'plan'), { code: 2, stderr: /needs a selection of leases/ })
    const two = await command('pins', 'plan', '--missing', '--removed')
    t.match(two, { code: 2, stderr: /in one plan each/ })
    t.match(await command('pins', 'plan', '--missing', '--removed'), { code: 2 })

    const out = file('plan.txt')
    const planned = await command('pins', 'plan', '--encoder', 'alpha', '--out', out)
    t.match(
      planned.stderr,
      /7 {2}alpha\nwould release 7 leases \(9 pins checked\). Nothing was changed; apply with: /,
    )
    t.match(await command('pins', 'plan', '--encoder', 'alpha', '--out', out), {
      code: 1,
      stderr: /plan\.txt already exists/,
    })
    t.equal(cluster.pins.size, 9)
    await ask('DELETE', 0)
    await ask('POST', 0)
    const lines = readFileSync(out, 'utf8').split('\n').slice(1, -2)
    const { gateId } = JSON.parse((await command('ledger', 'check', '--json')).stdout) as Json
    writeFileSync(`${out}.done`, `${digestIn(out)} ${String(gateId)} as-owed 2\n`)
    const apply = await command('pins', 'apply', out, '--rate', '1000')
    t.equal(apply.code, 0)
    t.match(apply.stderr, 'continuing after 2 of 7 lines')
    const skipped = lines.slice(0, 2).map((line) => line.split(' ')[0])
    const isFirst = skipped.includes(cid(0))
    const isShared = skipped.includes(cid(8))
    t.match(apply.stdout, isFirst ? /^4 unpinned, 1 released|^1 released, 4/ : /1 changed-since/)
    for (const skip of skipped) t.ok(cluster.pins.has(skip ?? ''))
    t.ok(cluster.pins.has(cid(0)))
    if (!isShared) t.same(holdersIn(cluster.pins.get(cid(8))?.metadata), [betaId])
    t.equal((await command('pins', 'apply', out)).stdout, 'nothing left to do\n')
  },
)

type Json = Readonly<Record<string, unknown>>

const digestIn = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex')

t.test('progress is tied to the contents of the plan, not to its name', async (t) => {
  const { cluster, file, ask, command } = await served(t)
  const out = file('plan.txt')
  for (const index of [1, 2]) {
    t.equal(await ask('POST', index), 200)
    rmSync(out, { force: true })
    t.equal((await command('pins', 'plan', '--encoder', 'alpha', '--out', out)).code, 0)
    cluster.behave({ method: 'DELETE' }, { kind: 'status', status: 500, body: '{}' }, 1)
    const { stderr } = await command('pins', 'apply', out)
    t.match(stderr, ': 0 of 1 are done, and no other change began')
    t.equal((await command('pins', 'apply', out)).stdout, '1 unpinned\n')
    if (index === 2) t.match(stderr, 'plan.txt.done belongs to another plan')
    t.notOk(cluster.pins.has(cid(index)))
  }
})

t.test('a fault that ends a plan appears once, however many pins fail with it', async (t) => {
  const { cluster, file, ask, command } = await served(t)
  const out = file('plan.txt')
  for (const index of [1, 2, 3, 4]) await ask('POST', index)
  t.equal((await command('pins', 'plan', '--encoder', 'alpha', '--out', out)).code, 0)
  cluster.behave({ method: 'DELETE' }, { kind: 'status', status: 500, body: '{}' })
  const { code, stderr } = await command('pins', 'apply', out)
  t.equal(code, 1)
  t.match(stderr, ': 0 of 4 are done, and no other change began')
  t.equal(stderr.match(/^Qm\w+: /gm)?.length, 1, stderr)
  t.equal(cluster.pins.size, 4)
})

t.test('adopt ends with the first fault of the whole cluster, in words', async (t) => {
  const settings = { cluster: { health: { failuresMax: 1 } } }
  const { cluster, daemon, file, command } = await served(t, settings)
  cluster.behave({ path: /./ }, { kind: 'reset' })
  await daemon.logged('the cluster went down: no endpoint is available')
  writeFileSync(file('cids'), Array.from({ length: 200 }, (_, index) => cid(index)).join('\n'))
  const adopt = await command('pins', 'adopt', '--encoder', 'alpha', '--cids', file('cids'))
  const why = 'the cluster is down \\(cluster-down\\)'
  t.equal(adopt.code, 1)
  t.match(adopt.stderr, new RegExp(`^Qm\\w+: ${why}\n[^\n]*${why}: 0 are done, and no other ch`))
  t.match(await command('pins', 'show', cid(1)), { code: 1, stderr: new RegExp(`error: ${why}`) })
})

t.test(
  'where the daemon disappears, the command says what is unknown, if anything is',
  async (t) => {
    const { file, command } = await prepareDaemon(t, { encoders: { alpha: {} } })
    writeFileSync(file('cids'), Array.from({ length: 70 }, (_, index) => cid(index)).join('\n'))
    const adopt = () => command('pins', 'adopt', '--encoder', 'alpha', '--cids', file('cids'))
    for (const [isThere, why] of [
      [
        false,
        /does not exist: 64 are done, and no other change began\nhint: is it .*; then run the/,
      ],
      [true, /hung up without an answer: 64 are done, and the outcome of 6 more is unknown\n/],
    ] as const) {
      let asked = 0
      const server = createHttpServer((_request, response) => {
        if (++asked > 1) {
          response.destroy()
          return
        }
        const results = Array.from({ length: 64 }, () => ({ cid: cid(1), outcome: 'adopted' }))
        response.setHeader('x-pinwarden', 'admin').end(JSON.stringify(results))
        if (!isThere) server.close()
      })
      server.listen(file('control.sock'))
      await once(server, 'listening')
      const { code, stderr } = await adopt()
      t.equal(code, 1)
      t.match(stderr, why)
      server.close()
    }
  },
)

t.test('apply keeps its progress from the start, beside another apply of the plan', async (t) => {
  const { cluster, file, ask, command } = await served(t)
  const out = file('plan.txt')
  for (const index of [1, 2, 3]) await ask('POST', index)
  t.equal((await command('pins', 'plan', '--encoder', 'alpha', '--out', out)).code, 0)
  mkdirSync(`${out}.done`)
  const { code, stderr } = await command('pins', 'apply', out)
  t.match(stderr, /plan\.txt\.done is a directory/)
  t.equal(code, 1)
  t.equal(cluster.pins.size, 3, 'nothing was changed')
  rmdirSync(`${out}.done`)
  const both = [1, 2].map(() => command('pins', 'apply', out, '--rate', '10'))
  for (const { stderr } of await Promise.all(both)) t.notMatch(stderr, 'error')
  t.equal(cluster.pins.size, 0)
  t.same(
    readdirSync(file('.')).filter((name) => name.startsWith('plan')),
    ['plan.txt', 'plan.txt.done'],
  )
})

t.test('half a plan is never written, and never applied', async (t) => {
  const { cluster, file, command } = await served(t)
  const lease = new Map([[`pinwarden.lease.${alphaId}`, '20200101T000000Z/..']])
  for (const index of [1, 2]) cluster.addPin(cid(index), { metadata: lease })
  const out = file('plan.txt')
  const plan = () => command('pins', 'plan', '--encoder', 'alpha', '--out', out)
  const mend = cluster.behave(
    { path: '/allocations' },
    { kind: 'die-mid-stream', lines: 1, bytes: 500 },
  )
  t.match(await plan(), { code: 1, stderr: /state could not be read/ })
  t.strictSame(
    readdirSync(file('.')).filter((name) => name.startsWith('plan')),
    [],
  )
  mend()
  t.equal((await plan()).code, 0)
  const whole = readFileSync(out, 'utf8')
  const cases = [
    [whole.slice(0, -10), /is incomplete/],
    [
      whole.slice(0, whole.indexOf(alphaId) + 2),
      /is incomplete: its last .*\nhint: make a new one/,
    ],
    [whole.split('\n').slice(1).join('\n'), /is not a plan of this release/],
    [`${whole}${whole}`, /continues after its last line/],
    [whole.replace('\n', '\nnonsense\n'), /line 2 does not belong to a plan\nhint: make a new/],
    ['', /is empty/],
  ] as const
  for (const [text, message] of cases) {
    writeFileSync(out, text)
    t.match(await command('pins', 'apply', out), { code: 1, stderr: message })
  }
  t.equal(cluster.pins.size, 2)
  t.match(await command('pins', 'apply', file('none')), {
    ...{ code: 1, stderr: /none does not exist/ },
  })
  // What an operator takes out of a plan stays.
  const [first = '', kept = '', gone = '', ...rest] = whole.split('\n')
  writeFileSync(out, [first, gone, ...rest].join('\n'))
  t.equal((await command('pins', 'apply', out)).stdout, '1 unpinned\n')
  t.same(
    [...cluster.pins.values()].map(({ cid }) => cid),
    [kept.split(' ')[0]],
  )
})

t.test('age is measured from the first pin, the last renewal, or both', async (t) => {
  const { cluster, ask, command } = await served(t)
  const old = new Map([[`pinwarden.lease.${alphaId}`, '20200101T000000Z/..']])
  for (const index of [1, 2]) cluster.addPin(cid(index), { metadata: old })
  t.equal(await ask('POST', 2), 200, 'renewed just now')
  t.equal(await ask('POST', 3), 200)
  const plan = async (...options: string[]) => {
    const { stdout, stderr } = await command('pins', 'plan', '--encoder', 'alpha', ...options)
    const cids = stdout
      .split('\n')
      .slice(1, -2)
      .map((line) => line.split(' ')[0] ?? '')
    return { cids: cids.sort(), stderr }
  }
  const first = await plan('--older-than', '1y')
  t.same(first.cids, [cid(1), cid(2)].sort())
  t.match(first.stderr, 'would release 2 leases (first pinned more than 1y ago) (3 pins checked)')
  const both = await plan('--older-than', '1y', '--not-renewed-for', '1d')
  t.same(both.cids, [cid(1)])
  t.match(both.stderr, '(first pinned more than 1y ago, on pins not renewed for 1d)')
  t.match(await command('pins', 'plan', '--not-renewed-for', 'x'), { code: 2 })
})

t.test('without a daemon, or as another user, the command says what is missing', async (t) => {
  const { cluster, daemon, command } = await served(t)
  await cluster.close()
  t.match(await command('pins', 'plan', '--encoder', 'alpha'), {
    ...{ code: 1, stderr: /state could not be read: nothing listens at 127\.0\.0\.1:\d+\n/ },
  })
  daemon.process.kill('SIGTERM')
  await daemon.exited
  for (const argv of [
    ['restore', cid(0)],
    ['show', cid(0)],
    ['list', '--encoder', 'alpha'],
  ])
    t.match(await command('pins', ...argv), {
      code: 1,
      stderr: /no answer from the daemon: \S+control\.sock does not exist\nhint: is it running/,
    })
})

t.test('another program on the control socket is recognized, in time', async (t) => {
  const { file, command } = await prepareDaemon(t, {})
  let answer = (socket: Socket): unknown => socket.end()
  const other = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => answer(socket))
  }).listen(file('control.sock'))
  await once(other, 'listening')
  t.teardown(() => other.close())
  const body = (text: string, status = 200) =>
    `HTTP/1.1 ${status} OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`
  const endless = (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const more = () =>
      socket.write('{'.repeat(65_536), () => !socket.destroyed && setImmediate(more))
    more()
  }
  const cases: readonly (readonly [what: string, (socket: Socket) => unknown, RegExp])[] = [
    ...['{}', '[]', 'null', '"x"', '7', '<html>', '', '{"cids":7}', '{"isApplied":true}'].map(
      (text) => [text, (socket: Socket) => socket.end(body(text)), /another program/] as const,
    ),
    ['an error', (socket) => socket.end(body('{"message":"come in"}', 500)), /another program/],
    [
      'half',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'),
      /another program/,
    ],
    ['half a head', (socket) => socket.end('HTTP/1.1 200 OK\r\n'), /hung up without an answer/],
    ['no HTTP', (socket) => socket.end('SSH-2.0-OpenSSH\r\n'), /does not speak HTTP/],
    ['nothing', (socket) => socket.end(), /hung up without an answer/],
    ['no end', endless, /another program/],
  ]
  const commands = [
    ['reload'],
    ['pins', 'list', '--encoder', 'alpha'],
    ['pins', 'show', cid(0)],
    ['pins', 'restore', cid(0)],
    ['pins', 'plan', '--missing'],
    ['journal', 'replay'],
    ['journal', 'drop', '--encoder', 'alpha'],
    ['ledger', 'forget', 'gate'],
  ]
  // Where no daemon answers, these read the file.
  const readers = [
    ['journal', 'list'],
    ['ledger', 'check'],
    ['ledger', 'backup', file('backup')],
  ]
  for (const [what, act, why] of cases) {
    answer = act
    const isAnother = why.source === 'another program'
    for (const argv of isAnother ? [...commands, ...readers] : commands) {
      const { code, stdout, stderr } = await command(...argv)
      const about = `${argv.join(' ')}: ${what}`
      t.equal(code, 1, about)
      t.equal(stdout, '', about)
      t.match(stderr, why, about)
      t.match(
        stderr,
        /^(?:the daemon is comparing .*\n)?pinwarden: error: [^\n]+\n(?:hint: [^\n]+\n)?$/,
        about,
      )
    }
  }
})

t.test('report sums up by encoder which requests were and would be refused', async (t) => {
  const { file, command } = await served(t)
  const lines = [
    { msg: 'request', time: '2026-01-01T00:00:00Z', encoder: 'a', outcome: 'answered' },
    { msg: 'request', encoder: 'a', outcome: 'answered', wouldRefuse: 'not-owner' },
    { msg: 'request', encoder: 'a', outcome: 'answered', wouldRefuse: 'not-owner' },
    { msg: 'request', encoder: 'a', outcome: 'refused', reason: 'rate-limited' },
    { msg: 'listening' },
    { msg: 'request', time: '2026-01-02T00:00:00Z', outcome: 'refused', reason: 'key-unknown' },
  ]
  writeFileSync(file('a.log'), lines.map((line) => JSON.stringify(line)).join('\n'))
  const { stdout, stderr } = await command('report', file('a.log'))
  t.match(stdout, /^a +4 +2 not-owner +1 rate-limited$/m)
  t.match(stdout, /^\(unknown\) +1 +- +1 key-unknown$/m)
  t.equal(stderr, 'from 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z\n')
  const json = JSON.parse((await command('report', file('a.log'), '--json')).stdout) as object
  t.match(json, { encoders: [{ encoder: '(unknown)' }, { wouldRefuse: { 'not-owner': 2 } }] })
})

t.test('a malformed command to the daemon is refused, and nothing is changed', async (t) => {
  const { cluster, file } = await served(t)
  cluster.addPin(cid(0))
  const dispatcher = new Agent({ connect: { socketPath: file('control.sock') } })
  t.teardown(() => dispatcher.close())
  const tell = async (path: string, body: string) => {
    const headers = { 'content-type': 'application/json' }
    const options = { method: 'POST', headers, body, dispatcher } as const
    const answer = await request(`http://localhost${path}`, options)
    return [answer.statusCode, await answer.body.json()]
  }
  const cases = [
    ['/adopt', '{}', 400],
    ['/adopt', '{"encoder":"alpha","cids":[1]}', 400],
    ['/adopt', '{"encoder":"who","cids":[]}', 404],
    ['/restore', 'null', 400],
    ['/restore', '{', 400],
    ['/release-planned', '[{"cid":"x"}]', 400],
    ['/release', '{"cids":[],"reason":" "}', 400],
    ['/decide', '{"right":"gate","rows":[{"cid":"x"}]}', 400],
    ['/nothing', '{}', 404],
  ] as const
  for (const [path, body, status] of cases) {
    const [code] = await tell(path, body)
    t.equal(code, status, `${path} ${body.slice(0, 40)}`)
  }
  // Refused by its length: what would follow is never sent.
  const headers = { 'content-type': 'application/json', 'content-length': 2 ** 21 }
  const socketPath = file('control.sock')
  const large = httpRequest({ socketPath, method: 'POST', path: '/release', headers })
  large.flushHeaders()
  const [answer] = (await once(large, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 413)
  large.on('error', () => undefined).destroy()
  t.same(holdersIn(cluster.pins.get(cid(0))?.metadata), [])
  t.equal(cluster.requests.length, 0)
})

t.test('an impossible control socket is an error, and no daemon is left behind', async (t) => {
  const path = join(t.testdir({}), 'config.json')
  const control = { socket: '/nowhere/control.sock' }
  const config = { listen: { port: 0 }, admin: { port: 0 }, control }
  writeFileSync(path, JSON.stringify(config), { mode: 0o640 })
  const daemon = run(t, ['serve', '--config', path])
  t.same(await daemon.exited, { code: 1, signal: null })
  t.match(daemon.stderr, /control\.socket: \/nowhere does not exist/)
})
