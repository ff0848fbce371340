/** The fallback against a Kubo, by a clock of the test's own. */
import { base16 } from 'multiformats/bases/base16'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import t, { type Test } from 'tap'
import { Fallback } from '../../src/fallback/fallback.js'
import { registerFallback } from '../../src/fallback/fallback-metrics.js'
import { Kubo } from '../../src/fallback/kubo.js'
import { openRegistry } from '../../src/metrics/registry.js'
import { clock } from '../support/clock.js'
import { seriesIn } from '../support/exposition.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { startFakeKubo } from '../support/fake-kubo.js'

const own = '12D3KooWFallback'
const [one, two, three, four] = [1, 2, 3, 4].map(generatedCid) as [string, string, string, string]

async function started(t: Test, { release = false, ids = ['12D3KooWOther'] } = {}) {
  const kubo = await startFakeKubo(t)
  const { monotonic, setTimer, turn: onlyTurn } = clock()
  const turn = async (ms: number) => {
    await onlyTurn(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const world = { ids: new Set(ids) as ReadonlySet<string> | undefined, isWaiting: true }
  const logged: { message: string; err?: Error; reason?: string }[] = []
  let onTold: (() => void)[] = []
  const fallback = new Fallback({
    ...{ atOnceMax: 2, release, monotonic, setTimer },
    kubo: new Kubo({ url: kubo.url, atOnceMax: 2, stallMs: 60_000, setTimer }),
    clusterKubos: () => Promise.resolve(world.ids),
    isWaiting: () => world.isWaiting,
    log: (_level, fields, message) => {
      logged.push({ ...fields, message })
      for (const call of onTold.splice(0)) call()
    },
  })
  t.teardown(() => fallback.close())
  /** The first log lines, once there are this many. */
  const tellings = async (count: number) => {
    while (logged.length < count)
      await new Promise<void>((resolve) => (onTold = [...onTold, resolve]))
    return logged.map(({ message, err }) =>
      err === undefined ? message : `${message}: ${err.message}`,
    )
  }
  return { kubo, fallback, turn, world, tellings, logged }
}

const made = 'pinned at the fallback'
const notMade = 'could not pin at the fallback'

t.test('pins are made there, a few at a time, and stay', async (t) => {
  const { kubo, fallback, turn, tellings } = await started(t)
  kubo.mode = 'work'
  t.equal(await fallback.compare(), 'another')
  for (const cid of [one, two, three]) fallback.accepted(cid)
  await turn(5000)
  await kubo.worksOn(2)
  await turn(5000)
  t.notOk(kubo.asked.includes(`pin/ls ${three}`), 'the third one waits')
  t.match(fallback.report, { waiting: 1, inProgress: 2, pinned: 0 })
  kubo.working.get(one)?.done()
  await tellings(1)
  await turn(1000)
  await kubo.wasAsked(`pin/add ${three}`)
  await kubo.worksOn(2)
  kubo.working.get(two)?.done()
  kubo.working.get(three)?.done()
  t.same(await tellings(3), [made, made, made])
  await fallback.pinned(one)
  t.same([...kubo.pins].sort(), [one, two, three].sort())
  t.notOk(kubo.asked.some((what) => what.startsWith('pin/rm')))
  t.match(fallback.report, { waiting: 0, inProgress: 0, pinned: 3, failed: 0, released: 0 })
})

t.test(
  'with release set, it unpins its own pins once the cluster has them, and nothing else',
  async (t) => {
    const { kubo, fallback, turn, tellings } = await started(t, { release: true })
    await fallback.compare()
    kubo.pins.add(two)
    kubo.pins.add(four)
    fallback.accepted(one)
    fallback.accepted(two)
    await turn(0)
    await tellings(2)
    for (const cid of [one, two, four]) await fallback.pinned(cid)
    t.same([...kubo.pins], [two, four], 'somebody else wanted these')
    t.same(
      kubo.asked.filter((what) => what.startsWith('pin/rm')),
      [`pin/rm ${one}`],
    )

    kubo.mode = 'work'
    fallback.accepted(three)
    await turn(1000)
    await kubo.worksOn(1)
    await fallback.pinned(three)
    kubo.working.get(three)?.done()
    await kubo.wasAsked(`pin/rm ${three}`)
  },
)

t.test('a pin that the cluster has meanwhile is no longer made', async (t) => {
  const { kubo, fallback, turn, world } = await started(t)
  await fallback.compare()
  fallback.accepted(one)
  world.isWaiting = false
  await turn(5000)
  t.equal(fallback.report.waiting, 0)
  t.same(kubo.asked, ['id'])
})

t.test("it is not used until its owner is known, and never if it is the cluster's", async (t) => {
  const { kubo, fallback, turn, world, tellings } = await started(t)
  world.ids = undefined
  t.equal(await fallback.compare(), 'unknown')
  fallback.accepted(one)
  await turn(60_000)
  t.notOk(kubo.asked.some((what) => what.startsWith('pin/')))
  world.ids = new Set(['12D3KooWOther'])
  while (fallback.report.waiting > 0) await turn(1000)
  t.same(await tellings(1), [made])

  world.ids = new Set(['12D3KooWOther', own])
  fallback.forgetComparison()
  fallback.accepted(two)
  await turn(0)
  t.match((await tellings(2))[1], /^the fallback proved to be a Kubo of the cluster/)
  await turn(60_000)
  t.notOk(kubo.asked.includes(`pin/ls ${two}`))
})

t.test('a pin without progress is given up, and one with progress may take long', async (t) => {
  const { kubo, fallback, turn, tellings, logged } = await started(t)
  kubo.mode = 'work'
  await fallback.compare()
  fallback.accepted(one)
  fallback.accepted(two)
  await turn(0)
  await kubo.worksOn(2)
  const gone = kubo.working.get(two)?.abandoned
  for (let blocks = 1; blocks < 4; blocks++) {
    kubo.working.get(one)?.progress(blocks)
    await turn(29_000)
  }
  t.same(await tellings(1), [`${notMade}: no progress for 60000 ms`])
  await gone
  kubo.working.get(one)?.done()
  t.same((await tellings(2))[1], made)
  t.match(fallback.report, { isAvailable: true, pinned: 1, failed: 1, waiting: 0 })
  t.equal(logged[0]?.reason, 'fallback-stalled')
})

t.test('a pin that it refuses is reported, and not requested again', async (t) => {
  const { kubo, fallback, turn, tellings, logged } = await started(t)
  kubo.mode = 'work'
  await fallback.compare()
  fallback.accepted(one)
  await turn(0)
  await kubo.worksOn(1)
  kubo.working.get(one)?.fail('pin: block was not found locally (offline)')
  t.same(await tellings(1), [`${notMade}: pin: block was not found locally (offline)`])
  t.equal(logged[0]?.reason, 'fallback-refused')
  await turn(60_000)
  t.equal(kubo.asked.filter((what) => what === `pin/add ${one}`).length, 1)
})

t.test('one that does not answer is left alone until it does', async (t) => {
  const { kubo, fallback, turn, logged } = await started(t)
  await fallback.compare()
  kubo.mode = 'hangup'
  for (const cid of [one, two, three, four]) fallback.accepted(cid)
  const isTold = (message: string) => logged.some((one) => one.message === message)
  while (!isTold('the fallback went down')) await turn(1000)
  t.equal(fallback.report.isAvailable, false)
  t.match(logged[0], { message: notMade, reason: 'fallback-hung-up' })
  t.match(logged.at(-1)?.reason, /^(fallback-hung-up|health-check)$/)
  while (fallback.report.inProgress > 0) await turn(100)
  t.equal(fallback.report.waiting, 4, 'nothing is forgotten')
  kubo.mode = 'now'
  while (!isTold('the fallback came back')) await turn(1000)
  while (fallback.report.pinned < 4) await turn(1000)
  const { failed, faults } = fallback.report
  t.same([...faults], [['fallback-hung-up', failed]])
  const registry = openRegistry('test')
  registerFallback(registry, fallback)
  t.same(await seriesIn(registry, 'pinwarden_fallback_faults_total'), [
    `pinwarden_fallback_faults_total{reason="fallback-hung-up"} ${failed}`,
  ])
  t.same([...kubo.pins].sort(), [one, two, three, four].sort())
})

t.test('only an answer that names the CID counts as a pin, as a list or as an unpin', async (t) => {
  const unnamed = `${notMade}: it ended without naming the CID`
  const answers = [
    // A Kubo before 0.9 says so with each line of progress.
    '{"Pins":null,"Progress":3}',
    '{"Pins":[]}',
    '{}',
    'null',
    '7',
    '{"Pins":"Qm"}',
    '{"Pins":{"0":"Qm"}}',
    `{"Pins":["${two}"]}`,
    '{"Pins":[null,7,{}]}',
  ]
  const failed = '{"Message":"it was not pinned","Code":0,"Type":"error"}'
  const afterwards = `{"Pins":["${one}"]}\n${failed}`
  const { kubo, fallback, turn, tellings } = await started(t, { release: true })
  await fallback.compare()
  for (const [index, answer] of answers.entries()) {
    kubo.says.set('pin/add', answer)
    fallback.accepted(one)
    await turn(1000)
    t.equal((await tellings(index + 1))[index], unnamed, answer)
  }
  for (const [index, answer] of [failed, afterwards].entries()) {
    kubo.says.set('pin/add', answer)
    fallback.accepted(one)
    await turn(1000)
    const logged = (await tellings(answers.length + index + 1)).at(-1)
    t.equal(logged, `${notMade}: it was not pinned`, answer)
  }
  kubo.says.set('pin/add', `{"Pins":null,"Progress":3}\n{"Pins":["${one}"],"Progress":3}`)
  fallback.accepted(one)
  await turn(1000)
  t.equal((await tellings(answers.length + 3)).at(-1), made)

  kubo.says.set('pin/rm', '{"Pins":null}')
  await fallback.pinned(one)
  t.match((await tellings(answers.length + 2)).at(-1), /could not unpin.*not name the CID/)
  t.equal(fallback.report.released, 0)
})

t.test('the CID counts in every spelling, and as CIDv0 and CIDv1 it is two', async (t) => {
  const { kubo, fallback, turn, tellings } = await started(t)
  await fallback.compare()
  const v1 = CID.parse(one).toV1()
  for (const [index, spelling] of [one, v1.toString(base16), v1.toString(base58btc)].entries()) {
    const cid = spelling === one ? one : v1.toString()
    kubo.says.set('pin/add', `{"Pins":["${spelling}"]}`)
    fallback.accepted(cid)
    await turn(1000)
    t.equal((await tellings(index + 1))[index], made, spelling)
  }
  kubo.says.set('pin/add', `{"Pins":["${one}"]}`)
  fallback.accepted(v1.toString())
  await turn(1000)
  t.match((await tellings(4))[3], notMade)
})

t.test('a pin for which it did not say whether it existed is made, and stays', async (t) => {
  const { kubo, fallback, turn, tellings } = await started(t, { release: true })
  await fallback.compare()
  const answers = [
    '{"Keys":{}}',
    '{"Keys":null}',
    'null',
    '<html>',
    `{"Keys":{"${two}":{"Type":"recursive"}}}`,
    `{"Keys":{"${one}":{"Type":"indirect"}}}`,
    `{"Keys":{"${one}":null}}`,
  ]
  for (const [index, answer] of answers.entries()) {
    kubo.says.set('pin/ls', answer)
    fallback.accepted(one)
    await turn(1000)
    t.equal((await tellings(index + 1))[index], made, answer)
    t.equal(kubo.asked.filter((what) => what === `pin/add ${one}`).length, index + 1, answer)
    await fallback.pinned(one)
  }
  t.notOk(kubo.asked.includes(`pin/rm ${one}`))
})
