/** When an endpoint is asked and when it is not, by a clock of the test's own. */
import t from 'tap'
import { Fitness, type Verdict } from '../../src/cluster/fitness.js'
import { clock } from '../support/clock.js'

const hour = 3_600_000

/** Checks are answered by what `isWell` says at the time. */
function started(failuresMax = 3) {
  const told: Verdict[] = []
  const world = {
    isWell: true,
    checks: 0,
    onCheck: (): void => undefined,
    /** How long a check takes. */
    until: Promise.resolve(),
  }
  const { now, later, turn } = clock()
  const fitness = new Fitness({
    intervalMs: hour,
    failuresMax,
    slowStartMs: 10_000,
    now,
    later,
    check: () => {
      world.checks++
      world.onCheck()
      return world.until.then(() => world.isWell)
    },
    onChange: (verdict) => told.push(verdict),
  })
  return { fitness, told, world, turn, states: () => told.map(({ state }) => state) }
}

/** Everything that promises have to do. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

t.test('faults in a row take an endpoint out, an answer between them does not', async (t) => {
  const { fitness, states } = started(3)
  const fail = () => {
    fitness.failed(fitness.began(), 'cluster-bad-answer')
  }
  fail()
  fail()
  fitness.answered()
  fail()
  fail()
  t.equal(fitness.isFit, true)
  fail()
  t.equal(fitness.isFit, false)
  t.same(states(), ['down'])
  fitness.close()
})

t.test('one fault and one failed check are enough', async (t) => {
  const { fitness, told, world } = started()
  world.isWell = false
  fitness.failed(fitness.began(), 'cluster-unreachable')
  await settled()
  t.equal(world.checks, 1)
  t.same(told, [{ state: 'down', reason: 'health-check' }])
  fitness.close()
})

t.test('one fault whose check is fine changes nothing', async (t) => {
  const { fitness, told } = started()
  fitness.failed(fitness.began(), 'cluster-hung-up')
  await settled()
  t.equal(fitness.state, 'up')
  t.same(told, [])
  fitness.close()
})

t.test('slow answers of Kubo have it checked, and never take it out', async (t) => {
  const { fitness, world } = started(2)
  for (let index = 0; index < 10; index++) fitness.suspected(fitness.began())
  await settled()
  t.equal(fitness.state, 'up')
  t.equal(world.checks, 1, 'one check at a time')
  fitness.close()
})

t.test('what has left says nothing', async (t) => {
  const { fitness, world } = started(1)
  fitness.abandoned(fitness.began())
  await settled()
  t.equal(fitness.state, 'up')
  t.equal(world.checks, 0)
  fitness.close()
})

t.test('a check that began before it went down does not bring it back', async (t) => {
  const { fitness, states, world, turn } = started(2)
  fitness.failed(fitness.began(), 'cluster-cut')
  t.equal(world.checks, 1, 'under way')
  fitness.failed(fitness.began(), 'cluster-cut')
  await settled()
  t.same(states(), ['down'])
  await turn(999)
  t.equal(world.checks, 1)
  await turn(1)
  t.same(states(), ['down', 'trial'])
  fitness.close()
})

t.test('a check that takes longer than the pause is followed by another', async (t) => {
  const { fitness, states, world, turn } = started(2)
  let end = (): void => undefined
  world.until = new Promise((resolve) => (end = resolve))
  fitness.failed(fitness.began(), 'cluster-timeout')
  fitness.failed(fitness.began(), 'cluster-timeout')
  await turn(1500)
  t.equal(world.checks, 1, 'one at a time')
  end()
  await settled()
  t.same(states(), ['down'])
  await turn(1000)
  t.same(states(), ['down', 'trial'])
  fitness.close()
})

t.test('one that an answer brought back during a check is checked on', async (t) => {
  const { fitness, states, world, turn } = started(1)
  fitness.failed(fitness.began(), 'cluster-cut')
  await turn(1000)
  t.equal(fitness.state, 'trial')
  // The next check is under way when the first answer comes.
  world.onCheck = () => {
    fitness.answered()
  }
  await turn(1000)
  t.same(states(), ['down', 'trial', 'up'])
  world.onCheck = () => undefined
  world.isWell = false
  await turn(hour)
  t.equal(fitness.state, 'down')
  fitness.close()
})

t.test('one that is back is tried by a few, and gets its share little by little', async (t) => {
  const { fitness, states, turn } = started(1)
  await turn(1000)
  fitness.failed(fitness.began(), 'cluster-timeout')
  t.equal(fitness.isFit, false)
  await turn(1000)
  t.same(states(), ['down', 'trial'])

  const tries = Array.from({ length: 8 }, () => fitness.began())
  t.equal(fitness.isFit, false, 'eight at a time')
  fitness.abandoned(tries[0] ?? -1)
  t.equal(fitness.isFit, true)
  fitness.answered()
  t.same(states(), ['down', 'trial', 'up'])
  t.equal(fitness.share, 0.1)
  await turn(5000)
  t.equal(fitness.share, 0.5)
  await turn(5000)
  t.equal(fitness.share, 1)

  fitness.failed(tries[1] ?? -1, 'cluster-hung-up')
  t.equal(fitness.isFit, true, 'what began before says nothing of now')
  fitness.close()
})

t.test('after each trial that fails it is left alone for longer, up to a bound', async (t) => {
  const { fitness, world, turn, states } = started(1)
  fitness.failed(fitness.began(), 'cluster-hung-up')
  for (const pauseMs of [1000, 2000, 4000, 8000, 8000]) {
    const { checks } = world
    await turn(pauseMs - 1)
    t.equal(world.checks, checks, `nothing before ${pauseMs} ms`)
    await turn(1)
    t.equal(fitness.state, 'trial')
    fitness.failed(fitness.began(), 'cluster-bad-answer')
    t.equal(fitness.state, 'down')
  }
  t.equal(states().filter((state) => state === 'up').length, 0)
  fitness.close()
})

t.test('without a request to try it, a second check is enough', async (t) => {
  const { fitness, told, turn } = started(1)
  fitness.failed(fitness.began(), 'cluster-hung-up')
  await turn(2000)
  t.same(told.at(-1), { state: 'up', downMs: 2000 })
  fitness.close()
})
