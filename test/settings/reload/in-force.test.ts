/** Settings that a reload does not report as waiting are in effect: read or rebuilt. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { assemble } from '../../../src/daemon/assemble.js'
import { openLog } from '../../../src/log/log.js'
import { digestOf, generateKey } from '../../../src/settings/keyring/key.js'
import { configFrom } from '../../../src/settings/load.js'
import { LiveSettings } from '../../../src/settings/reload/live.js'
import {
  at,
  changed,
  config,
  leaves,
  loaded,
  otherOf,
  reloaded,
} from '../../support/every-field.js'
import { generatedCid, startFakeCluster } from '../../support/fake-cluster/index.js'

/** Fields of which a reload does not say that they wait. */
async function liveFields(t: Test): Promise<typeof leaves> {
  const { live, write } = await loaded(t)
  const fields = []
  for (const leaf of leaves) {
    const { path, schema } = leaf
    write(changed(path, otherOf(path.join('.'), schema, at(live.current().config, path))))
    const { needRestart } = await reloaded(live)
    const isWaiting = needRestart.some((name) => `${path.join('.')}.`.startsWith(`${name}.`))
    if (!isWaiting) fields.push(leaf)
    write(config)
    await live.reload()
  }
  return fields
}

/** Notes which fields are read, by their paths. */
function noted<T>(value: T, path: string, seen: Set<string>): T {
  if (Array.isArray(value))
    return value.map((one, at) => noted<unknown>(one, `${path}.${at}`, seen)) as T
  if (typeof value !== 'object' || value === null) return value
  const copy = {}
  for (const [name, field] of Object.entries(value)) {
    const place = path === '' ? name : `${path}.${name}`
    const inner = noted<unknown>(field, place, seen)
    const get = () => {
      seen.add(place)
      return inner
    }
    Object.defineProperty(copy, name, { enumerable: true, get })
  }
  return copy as T
}

t.test('settings that do not wait are read from the reloaded configuration', async (t) => {
  const key = generateKey()
  const cluster = await startFakeCluster()
  t.teardown(() => cluster.close())
  const directory = t.testdir({ journal: {} })
  const path = join(directory, 'config.json')
  const limits = { inFlight: 32, leases: 100, unfinished: 100 }
  const write = (graceSeconds: number) => {
    const alpha = { keys: [{ id: 'k1', sha256: digestOf(key) }], role: 'operator' }
    const served = {
      listen: { port: 0 },
      cluster: { endpoints: [{ url: cluster.url }] },
      ...{ limits, onOutage: 'journal', journal: { directory: 'journal' } },
      ...{ unpin: { graceSeconds }, encoders: { alpha } },
    }
    writeFileSync(path, JSON.stringify(served), { mode: 0o640 })
  }
  write(0)
  const { live: settings } = await LiveSettings.load(path)
  const seen = new Set<string>()
  let isReloaded = false
  const current = () => {
    const { config, ...rest } = settings.current()
    return { ...rest, config: isReloaded ? noted(config, '', seen) : config }
  }
  const log = await openLog({ ...settings.current().config.log, file: join(directory, 'log') })
  t.teardown(() => log.close())
  const { tls, state } = settings
  const gate = await assemble({ settings: { current, tls, state }, log, version: 'test' })
  t.teardown(() => gate[Symbol.asyncDispose]())
  const ask = async (method: string, path: string, credential = key) => {
    const headers = { authorization: `Bearer ${credential}` }
    const answer = await fetch(`${gate.url() ?? ''}${path}`, { method, headers })
    await answer.arrayBuffer()
    return answer.status
  }

  write(60)
  await settings.reload()
  isReloaded = true
  gate.apply(undefined)
  cluster.addPin(generatedCid(3))
  t.equal(await ask('GET', '/pins'), 200)
  t.equal(await ask('GET', '/id', generateKey()), 401)
  t.equal(await ask('POST', `/pins/${generatedCid(1)}`), 200)
  t.equal(await ask('DELETE', `/pins/${generatedCid(1)}`), 200)
  const undo = cluster.behave({ method: 'POST' }, { kind: 'reset' })
  t.equal(await ask('POST', `/pins/${generatedCid(2)}`), 202)
  undo()
  gate.retryQueue()
  while (!seen.has('journal.perSecondMax')) await new Promise((resolve) => setImmediate(resolve))

  const names = (await liveFields(t)).map(({ path }) => path.join('.'))
  const read = names.filter((name) => !isOfKeyring(name) && !elsewhere.test(name))
  t.ok(read.length > 20, 'there are such')
  for (const name of read) t.ok(seen.has(name), `${name} is read`)
  const ofCluster = names.filter((name) => elsewhere.test(name)).map((name) => name.split('.')[0])
  t.same([...new Set(ofCluster)], ['listen', 'cluster', 'log'])
})

/** The keyring is made of these with each snapshot. */
const isOfKeyring = (name: string): boolean =>
  /^(encoders|roles|retentionDays|enforcement|limits)\b/.test(name) &&
  !name.startsWith('limits.failures.')

/**
 * TLS and the level of the log have tests of their own; an endpoint without them reads none, and
 * commands alone read the public address.
 */
const elsewhere =
  /^listen\.(?:tls\.|publicUrl$)|^log\.level$|^cluster\.endpoints\.0\.(username|passwordFile|socket|caFile)$/

t.test('the contents of a keyring are rebuilt with each snapshot', async (t) => {
  const { live: settings, write } = await loaded(t)
  const digest = 'ab'.repeat(32)
  const inForce = () => {
    const { keyring, config } = settings.current()
    return { encoder: keyring.encoder('alpha'), keys: config.encoders.alpha?.keys }
  }
  t.equal(inForce().keys?.[0]?.sha256, digest)
  for (const { path, schema } of await liveFields(t)) {
    const name = path.join('.')
    if (!isOfKeyring(name)) continue
    write(config)
    await settings.reload()
    const before = inForce()
    write(changed(path, otherOf(name, schema, at(settings.current().config, path))))
    await reloaded(settings)
    t.notSame(inForce(), before, name)
  }
})

t.test('a reload of thousands of encoders lets other work be done in between', async (t) => {
  const { live, write } = await loaded(t)
  const sha256 = (index: number) => digestOf(String(index))
  const names = Array.from({ length: 2000 }, (_, index) => `many-${index}`)
  const encoders = Object.fromEntries(
    names.map((name, index) => [name, { keys: [{ id: 'k1', sha256: sha256(index) }] }]),
  )
  write({ ...config, encoders })
  const cpuOf = (used: NodeJS.CpuUsage) => used.user + used.system
  const before = process.threadCpuUsage()
  configFrom(JSON.stringify({ ...config, encoders }))
  const atOnce = cpuOf(process.threadCpuUsage(before))
  let longest = 0
  let isOver = false
  let last = process.threadCpuUsage()
  const turn = (): void => {
    longest = Math.max(longest, cpuOf(process.threadCpuUsage(last)))
    last = process.threadCpuUsage()
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  t.match(await live.reload(), { isApplied: true })
  isOver = true
  t.equal(live.current().keyring.encoderCount, 2000)
  // All in one turn is twice as much: there is more to a reload than that.
  t.ok(longest < 1.2 * atOnce, `${longest} of ${atOnce} µs of CPU in one turn`)
})

t.test('a thread finds the faults of a large file, and a message lists the first', async (t) => {
  const { live, write } = await loaded(t)
  const threads: string[] = []
  const note = (worker: Worker) => threads.push(worker.threadName ?? '')
  process.on('worker', note)
  t.teardown(() => process.off('worker', note))
  const names = Array.from({ length: 4000 }, (_, n) => `encoder-${n}`)
  const encodersOf = (one: object) => Object.fromEntries(names.map((name) => [name, one]))
  for (const [one, path, found] of [
    [{ role: 'painter' }, 'encoders.encoder-199.role', '"painter"'],
    [{ rle: 'pinner' }, 'encoders.encoder-199.rle', 'an unknown field'],
  ] as const) {
    write({ ...config, encoders: encodersOf(one) })
    const reload = await live.reload()
    if (reload.isApplied) throw new Error('applied')
    const { problems } = reload
    t.same(threads.splice(0), ['settings'])
    t.match(problems[199], { path, found, line: Number })
    t.match(problems.slice(200), [{ says: 'and 3800 more' }])
  }
  write({ ...config, encoders: { alpha: { role: 'painter' } } })
  t.match(await live.reload(), { isApplied: false, problems: [{ found: '"painter"' }] })
  t.same(threads, [], 'a small file needs none')
})
