/** Which peers lack what was written at another one: they are told, and not read meanwhile. */
import t from 'tap'
import { PeerLag, type SeenAt } from '../../src/cluster/peer-lag.js'
import { clock } from '../support/clock.js'

/** Two peers, a clock that the test moves, and what is told. */
function peers() {
  const pins = { one: new Map<string, number>(), two: new Map<string, number>() }
  const told: string[] = []
  const { now, setTimer, turn } = clock()
  const available = ['one', 'two']
  const lag = new PeerLag({
    read: (endpoint, cid): Promise<SeenAt> =>
      Promise.resolve(pins[endpoint as 'one' | 'two'].get(cid)),
    available: () => available,
    onChange: (endpoint, { isBehind, lagMs }) =>
      told.push(`${endpoint} ${isBehind ? 'lags' : 'is back'} ${lagMs}`),
    monotonic: now,
    setTimer,
  })
  const pass = (seconds: number) => turn(seconds * 1000)
  return { lag, pins, told, pass, available }
}

t.test(
  'a peer without what was written half a minute ago is told once, and when it has it',
  async (t) => {
    const { lag, pins, told, pass } = peers()
    pins.one.set('a', 5)
    lag.wrote('POST', '/pins/a?name=x')
    await pass(20)
    t.equal(lag.isBehind('two'), true)
    t.equal(lag.isBehind('one'), false)
    t.same(told, [], 'not so soon')
    await pass(40)
    t.same(told, ['two lags 30000'])
    t.equal(lag.lagMs('two'), 60_000)
    // What is written meanwhile at the peer that keeps up changes nothing.
    pins.one.set('b', 60)
    lag.wrote('POST', '/pins/b')
    await pass(20)
    pins.two.set('a', 5)
    await pass(10)
    t.same(told, ['two lags 30000', 'two is back 90000'])
    t.equal(lag.lagMs('two'), 0)
  },
)

t.test('peers that agree are never told, nor what is between two writes of one pin', async (t) => {
  const { lag, pins, told, pass } = peers()
  for (let count = 0; count < 30; count++) {
    pins.one.set('hot', count)
    lag.wrote('POST', '/pins/hot')
    await pass(5)
    pins.two.set('hot', count)
  }
  pins.one.delete('hot')
  lag.wrote('DELETE', '/pins/hot')
  await pass(5)
  pins.two.delete('hot')
  lag.wrote('POST', '/pins/recover')
  await pass(100)
  t.same(told, [])
})

t.test(
  'a peer that still has what was unpinned lags; one that is older does as well',
  async (t) => {
    const { lag, pins, told, pass } = peers()
    pins.two.set('a', 1)
    lag.wrote('DELETE', '/pins/a')
    await pass(40)
    t.same(told, ['two lags 30000'])
    pins.two.delete('a')
    await pass(20)
    pins.one.set('b', 7)
    pins.two.set('b', 6)
    lag.wrote('POST', '/pins/b')
    await pass(60)
    t.match(told.at(-1), /^two lags/)
  },
)

t.test('what only one peer can be asked for is no lag', async (t) => {
  const { lag, pins, told, pass, available } = peers()
  pins.one.set('a', 1)
  available.pop()
  lag.wrote('POST', '/pins/a')
  await pass(120)
  t.same(told, [])
  t.equal(lag.isBehind('two'), false)
})
