/** When a service is asked and when it is not, by a clock of the test's own. */
import t from 'tap'
import { CircuitBreaker, type HealthChange } from '../../src/health/circuit-breaker.js'
import { clock } from '../support/clock.js'

const hour = 3_600_000

type Reason = 'unreachable' | 'hung-up' | 'timeout' | 'bad-answer' | 'cut'

/** Checks are answered by what `isHealthy` says at the time. */
function started(failuresMax = 3) {
  const changes: HealthChange<Reason>[] = []
  const world = {
    isHealthy: true,
    checks: 0,
    onCheck: (): void => undefined,
    /** How long a check takes. */
    until: Promise.resolve(),
  }
  const { monotonic, setTimer, turn } = clock()
  const breaker = new CircuitBreaker<Reason>({
    intervalMs: hour,
    failuresMax,
    slowStartMs: 10_000,
    monotonic,
    setTimer,
    check: () => {
      world.checks++
      world.onCheck()
      return world.until.then(() => world.isHealthy)
    },
    onChange: (change) => changes.push(change),
  })
  return { breaker, changes, world, turn, states: () => changes.map(({ state }) => state) }
}

/** Everything that promises have to do. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

t.test(
  'faults in a row take a service down, with an answer between them they do not',
  async (t) => {
    const { breaker, states } = started(3)
    const fail = () => {
      breaker.recordFailure(breaker.begin(), 'bad-answer')
    }
    fail()
    fail()
    breaker.recordSuccess()
    fail()
    fail()
    t.equal(breaker.isAvailable, true)
    fail()
    t.equal(breaker.isAvailable, false)
    t.same(states(), ['down'])
    breaker.close()
  },
)

t.test('one fault and one failed check take it down', async (t) => {
  const { breaker, changes, world } = started()
  world.isHealthy = false
  breaker.recordFailure(breaker.begin(), 'unreachable')
  await settled()
  t.equal(world.checks, 1)
  t.same(changes, [{ state: 'down', reason: 'health-check' }])
  breaker.close()
})

t.test('one fault whose check passes changes nothing', async (t) => {
  const { breaker, changes } = started()
  breaker.recordFailure(breaker.begin(), 'hung-up')
  await settled()
  t.equal(breaker.state, 'up')
  t.same(changes, [])
  breaker.close()
})

t.test('a requested check that passes never takes it down', async (t) => {
  const { breaker, world } = started(2)
  for (let index = 0; index < 10; index++) breaker.requestCheck(breaker.begin())
  await settled()
  t.equal(breaker.state, 'up')
  t.equal(world.checks, 1, 'one check at a time')
  breaker.close()
})

t.test('an abandoned request does not cause a check', async (t) => {
  const { breaker, world } = started(1)
  breaker.recordAbandoned(breaker.begin())
  await settled()
  t.equal(breaker.state, 'up')
  t.equal(world.checks, 0)
  breaker.close()
})

t.test('a check that began before it went down does not bring it back', async (t) => {
  const { breaker, states, world, turn } = started(2)
  breaker.recordFailure(breaker.begin(), 'cut')
  t.equal(world.checks, 1, 'in flight')
  breaker.recordFailure(breaker.begin(), 'cut')
  await settled()
  t.same(states(), ['down'])
  await turn(999)
  t.equal(world.checks, 1)
  await turn(1)
  t.same(states(), ['down', 'half-open'])
  breaker.close()
})

t.test('a check that takes longer than the pause is followed by another', async (t) => {
  const { breaker, states, world, turn } = started(2)
  let end = (): void => undefined
  world.until = new Promise((resolve) => (end = resolve))
  breaker.recordFailure(breaker.begin(), 'timeout')
  breaker.recordFailure(breaker.begin(), 'timeout')
  await turn(1500)
  t.equal(world.checks, 1, 'one at a time')
  end()
  await settled()
  t.same(states(), ['down'])
  await turn(1000)
  t.same(states(), ['down', 'half-open'])
  breaker.close()
})

t.test('a service that an answer brought back during a check is checked on', async (t) => {
  const { breaker, states, world, turn } = started(1)
  breaker.recordFailure(breaker.begin(), 'cut')
  await turn(1000)
  t.equal(breaker.state, 'half-open')
  // The next check is in flight when the first answer comes.
  world.onCheck = () => {
    breaker.recordSuccess()
  }
  await turn(1000)
  t.same(states(), ['down', 'half-open', 'up'])
  world.onCheck = () => undefined
  world.isHealthy = false
  await turn(hour)
  t.equal(breaker.state, 'down')
  breaker.close()
})

t.test('a service that is back gets a few requests, then a weight that grows', async (t) => {
  const { breaker, states, turn } = started(1)
  await turn(1000)
  breaker.recordFailure(breaker.begin(), 'timeout')
  t.equal(breaker.isAvailable, false)
  await turn(1000)
  t.same(states(), ['down', 'half-open'])

  const tries = Array.from({ length: 8 }, () => breaker.begin())
  t.equal(breaker.isAvailable, false, 'eight at a time')
  breaker.recordAbandoned(tries[0] ?? -1)
  t.equal(breaker.isAvailable, true)
  breaker.recordSuccess()
  t.same(states(), ['down', 'half-open', 'up'])
  t.equal(breaker.weight, 0.1)
  await turn(5000)
  t.equal(breaker.weight, 0.5)
  await turn(5000)
  t.equal(breaker.weight, 1)

  breaker.recordFailure(tries[1] ?? -1, 'hung-up')
  t.equal(breaker.isAvailable, true, 'what began before says nothing of now')
  breaker.close()
})

t.test('after each half-open failure the pause grows, up to a bound', async (t) => {
  const { breaker, world, turn, states } = started(1)
  breaker.recordFailure(breaker.begin(), 'hung-up')
  for (const pauseMs of [1000, 2000, 4000, 8000, 8000]) {
    const { checks } = world
    await turn(pauseMs - 1)
    t.equal(world.checks, checks, `nothing before ${pauseMs} ms`)
    await turn(1)
    t.equal(breaker.state, 'half-open')
    breaker.recordFailure(breaker.begin(), 'bad-answer')
    t.equal(breaker.state, 'down')
  }
  t.equal(states().filter((state) => state === 'up').length, 0)
  breaker.close()
})

t.test('without a request while half-open a second check is enough', async (t) => {
  const { breaker, changes, turn } = started(1)
  breaker.recordFailure(breaker.begin(), 'hung-up')
  await turn(2000)
  t.same(changes.at(-1), { state: 'up', downMs: 2000 })
  breaker.close()
})
