/**
 * `npm run drill:fleet`: two and four gates with one redis-server, whose store is killed, restarted
 * and paused under load. Real daemons; counted are requests beyond a budget, leases that were lost,
 * wrong answers, and how long it takes to continue alone and to share again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { table } from '../../src/cli/text-table.js'
import { digestOf, generateKey } from '../../src/settings/keyring/key.js'
import { leaseIdOf } from '../../src/settings/values/lease-id.js'
import { generatedCid, startFakeCluster } from '../support/fake-cluster/index.js'
import { TestRedis } from '../support/redis.js'
import { FleetLoad } from './fleet-load.js'
import { type Served, startServed } from './served.js'

const budget = 2000
const encoders = 8
const cidsPerRound = 150
const faultMs = 3000
const back = 'the store came back; limits and locks are shared'
const away = 'the store went down; limits and locks are of this gate alone until it is back'

const directory = mkdtempSync(join(tmpdir(), 'pinwarden-fleet-'))
const names = ['counted', ...Array.from({ length: encoders }, (_, n) => `e${n}`)]
const keys = new Map(names.map((name) => [name, generateKey()]))
const bearer = (name: string): string => `Bearer ${keys.get(name) ?? ''}`
const faults: string[] = []
const rows: string[][] = []
let cids = 0

for (const count of [2, 4]) await fleet(count)
process.stdout.write(table(['GATES', 'FIGURE', 'VALUE'], rows))
for (const fault of faults) process.stderr.write(`WRONG: ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
rmSync(directory, { recursive: true })

async function fleet(count: number): Promise<void> {
  const redis = await TestRedis.open()
  const cluster = await startFakeCluster()
  const gates = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      gateOf(`${count}-${index}`, cluster.url, redis.url),
    ),
  )
  const load = new FleetLoad(gates.map(({ url }) => url))
  const tell = (figure: string, value: string): void => {
    rows.push([String(count), figure, value])
  }

  await load.all(Array(budget * 2).keys(), 64, () => load.ask('GET', '/id', bearer('counted')))
  const passed = load.answers.filter(({ status }) => status === 200).length
  tell('passed of a budget', `${passed} of ${budget}, ${load.answers.length} asked`)
  if (passed !== budget) faults.push(`${count} gates let ${passed} pass, not ${budget}`)

  const healthy = await pinned(load, () => Promise.resolve(undefined))
  judge(count, 'a healthy store', healthy)
  for (const [fault, act] of [
    ['the store is killed, and started again', () => killed(redis, gates)],
    ['the store is paused', () => paused(redis, gates)],
  ] as const) {
    const round = await pinned(load, act)
    judge(count, fault, round)
  }

  /** Until all leases are there, for as long as gates look after what they wrote. */
  function lost(work: readonly (readonly [string, string])[]): number {
    const holds = ([cid, name]: readonly [string, string]) =>
      cluster.pins.get(cid)?.metadata?.has(`pinwarden.lease.${leaseIdOf(name)}`) === true
    return work.filter((one) => !holds(one)).length
  }

  async function pinned(on: FleetLoad, act: () => Promise<string | undefined>): Promise<Round> {
    const from = on.answers.length
    const startMs = performance.now()
    const acting = act()
    let isOver = false
    const acted = acting.then((text) => ((isOver = true), text))
    let begun = 0
    const more = function* () {
      while (!isOver || begun < encoders * cidsPerRound) {
        const cid = generatedCid(cids++)
        for (let n = 0; n < encoders; n++) {
          const one = [cid, `e${n}`] as const
          begun++
          yield one
        }
      }
    }
    const done: (readonly [string, string])[] = []
    await on.all(more(), 48, async (one) => {
      const { status } = await on.ask('POST', `/pins/${one[0]}`, bearer(one[1]))
      if (status === 200) done.push(one)
    })
    const took = performance.now() - startMs
    const text = await acted
    const lostAtFirst = lost(done)
    for (let waited = 0; waited < 60 && lost(done) > 0; waited++) await setTimeout(1000)
    return { answers: on.answers.slice(from), text, took, lostAtFirst, lost: lost(done) }
  }

  function judge(gateCount: number, name: string, round: Round): void {
    const others = round.answers.map(({ status }) => status).filter((status) => status !== 200)
    const wrong = others.length
    const durations = round.answers.map(({ durationMs }) => durationMs).sort((a, b) => a - b)
    const max = durations.at(-1) ?? NaN
    const rate = (round.answers.length / round.took) * 1000
    tell(
      name,
      `${round.answers.length} pins, ${rate.toFixed(0)}/s, wrong ${wrong}, longest ${max.toFixed(0)} ms`,
    )
    tell('  leases lost', `${round.lost}, before they were looked at again ${round.lostAtFirst}`)
    if (round.text !== undefined) tell('  shared again', round.text)
    if (wrong > 0)
      faults.push(
        `${gateCount} gates, ${name}: ${wrong} answers were ${[...new Set(others)].join()}`,
      )
    if (round.lost > 0) faults.push(`${gateCount} gates, ${name}: ${round.lost} leases are lost`)
  }

  await load.close()
  await Promise.all(gates.map((gate) => gate.stop()))
  await cluster.close()
  await redis.kill()
}

interface Round {
  readonly answers: readonly { status: number; durationMs: number }[]
  readonly text: string | undefined
  readonly took: number
  readonly lostAtFirst: number
  readonly lost: number
}

async function killed(redis: TestRedis, gates: readonly Served[]): Promise<string> {
  await setTimeout(500)
  const alone = Promise.all(gates.map((gate) => gate.next(away)))
  const shared = Promise.all(gates.map((gate) => gate.next(back, 30_000)))
  await redis.kill()
  await alone
  await setTimeout(faultMs)
  await redis.comeBack()
  return timeOf(shared)
}

async function paused(redis: TestRedis, gates: readonly Served[]): Promise<string> {
  await setTimeout(500)
  const alone = Promise.all(gates.map((gate) => gate.next(away)))
  const shared = Promise.all(gates.map((gate) => gate.next(back, 30_000)))
  redis.pause()
  await alone
  await setTimeout(faultMs)
  redis.resume()
  return timeOf(shared)
}

async function timeOf(shared: Promise<unknown>): Promise<string> {
  const startMs = performance.now()
  await shared
  return `by all gates ${((performance.now() - startMs) / 1000).toFixed(1)} s after it was back`
}

async function gateOf(name: string, clusterUrl: string, redis: string): Promise<Served> {
  const plenty = { max: 1_000_000, windowSeconds: 3600 }
  const keysOf = (each: string) => [{ id: 'k1', sha256: digestOf(keys.get(each) ?? '') }]
  const limits = { reads: { max: budget, windowSeconds: 3600 }, writes: plenty, inFlight: 1000 }
  const config = {
    listen: { port: 0 },
    log: { file: `${name}.log` },
    cluster: { endpoints: [{ url: clusterUrl }] },
    limits,
    store: { redis, namespace: `fleet-${name.split('-')[0] ?? ''}` },
    encoders: Object.fromEntries(names.map((each) => [each, { keys: keysOf(each) }])),
  }
  const path = join(directory, `${name}.json`)
  writeFileSync(path, JSON.stringify(config), { mode: 0o640 })
  return startServed(path, join(directory, `${name}.log`))
}
