/** The configuration was lost, and the ledger was not: encoders are what they were. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { pinwarden } from '../support/pinwarden.js'
import { prepareDaemon } from '../support/prepare-daemon.js'

const leaseIds = { alpha: 'a1a1a1a1a1a1', beta: 'b2b2b2b2b2b2' }
const key = generateKey()
const cid = generatedCid(1)

interface Written {
  readonly encoders: Readonly<Record<string, { leaseId?: string; keys: object[] }>>
}

/** A ledger that knows alpha and beta, and a pin of alpha. */
async function started(t: Test) {
  const { cluster, path, file, write, start, command } = await prepareDaemon(t, {
    ledger: { directory: 'ledger' },
    onOutage: 'journal',
    encoders: {
      alpha: { leaseId: leaseIds.alpha, keys: [{ id: 'k1', sha256: digestOf(key) }] },
      beta: { leaseId: leaseIds.beta },
    },
  })
  const read = () => (JSON.parse(readFileSync(path, 'utf8')) as Written).encoders
  const first = await start()
  t.equal(await first.ask('POST', 1, key), 200)
  const add = (name: string) => command('keys', 'add', name)
  return { cluster, path, ledger: file('ledger'), write, read, serve: start, add, first }
}

const initArgs = ['--host', '127.0.0.1', '--port', '0'] as const

t.test('init finds every encoder of the ledger, and each keeps its pins', async (t) => {
  const { cluster, path, ledger, read, serve, add, first } = await started(t)
  const comeBack = cluster.behave({}, { kind: 'reset' })
  t.equal(await first.ask('POST', 2, key), 202)
  await first.end()
  comeBack()
  rmSync(path)
  const { code, stdout, stderr } = await pinwarden(
    ...['init', '-c', path, '--encoder', 'alpha', '--ledger', ledger],
    ...[...initArgs, '--cluster', cluster.url],
  )
  t.equal(code, 0)
  t.match(stderr, '1 accepted pin waits in the queue, for keys of the lost settings')
  t.match(stdout, `the ledger knows alpha: it gets back its leaseId ${leaseIds.alpha}`)
  t.match(stdout, 'knows 1 more: beta. They are written with their leaseIds, but without keys')
  t.match(read(), {
    alpha: { leaseId: leaseIds.alpha, keys: [{}] },
    beta: { leaseId: leaseIds.beta, keys: [] },
  })
  t.match(await add('beta'), { code: 0 })
  t.match(read(), { beta: { leaseId: leaseIds.beta, keys: [{}] } })
  const { admin, ...config } = JSON.parse(readFileSync(path, 'utf8')) as { admin: object }
  t.same(admin, {})
  writeFileSync(path, JSON.stringify(config))
  const { ask } = await serve()
  const again = /pw_[A-Za-z0-9]{49}/.exec(stdout)?.[0] ?? ''
  t.equal(await ask('DELETE', 1, again), 200)
  t.notOk(cluster.pins.has(cid))
})

t.test(
  'an encoder that is added by its old name gets back its leaseId, and the command says so',
  async (t) => {
    const { write, read, serve, add, first } = await started(t)
    await first.end()
    write({ encoders: { gamma: {} } })
    const found = await add('alpha')
    t.match(found.stderr, `the ledger knows alpha: it gets back its leaseId ${leaseIds.alpha}`)
    t.equal(read().alpha?.leaseId, leaseIds.alpha)
    await serve()
    const asked = await add('beta')
    t.match(asked.stderr, 'the ledger knows beta')
    t.equal(read().beta?.leaseId, leaseIds.beta)
    t.equal((await add('delta')).stderr.includes('the ledger knows'), false)
    t.match(read().delta?.leaseId, /^[0-9a-z]{12}$/)
  },
)

t.test('a new encoder with the name of a removed one inherits nothing', async (t) => {
  const { path, read, add, first } = await started(t)
  await pinwarden('encoders', 'remove', 'alpha', '-c', path)
  await first.daemon.logged('settings reloaded')
  const { stderr } = await add('alpha')
  t.notMatch(stderr, 'the ledger knows')
  t.match(read().alpha?.leaseId, /^[0-9a-z]{12}$/)
  t.not(read().alpha?.leaseId, leaseIds.alpha)
})

t.test('an id that another encoder now has is not assigned twice', async (t) => {
  const { write, read, add, first } = await started(t)
  await first.end()
  write({ encoders: { renamed: { leaseId: leaseIds.alpha } } })
  t.match(await add('alpha'), { code: 0 })
  t.not(read().alpha?.leaseId, leaseIds.alpha)
})

t.test('a ledger that cannot be read causes a warning, not a failure', async (t) => {
  const { write, read, add } = await started(t)
  write({ control: { socket: 'elsewhere.sock' }, encoders: {} })
  const { code, stderr } = await add('alpha')
  t.equal(code, 0)
  t.match(stderr, /warning: new encoders get new leaseIds, as the ledger cannot be read/)
  t.not(read().alpha?.leaseId, leaseIds.alpha)
})

t.test('init makes no new leaseIds beside a ledger that a daemon has', async (t) => {
  const { cluster, path, ledger, read, first } = await started(t)
  const before = read()
  const other = path.replace('config.json', 'other.json')
  const { code, stdout, stderr } = await pinwarden(
    ...['init', '-c', other, '--encoder', 'alpha', '--ledger', ledger],
    ...[...initArgs, '--cluster', cluster.url],
  )
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.match(stderr, /error: the leaseIds in \S+ledger\.db cannot be read: .*\nhint: stop the daemon/)
  t.notOk(existsSync(other))
  t.same(read(), before)
  await first.end()
})
