/** Peers that lack what was written at another one are reported, and not read meanwhile. */
import t from 'tap'
import { PeerLag, type SeenAt } from '../../src/cluster/peer-lag.js'
import { clock } from '../support/clock.js'

/** Two peers, a clock that the test moves, and the reports. */
function peers() {
  const pins = { one: new Map<string, number>(), two: new Map<string, number>() }
  const reports: string[] = []
  const { now, setTimer, turn } = clock()
  const available = ['one', 'two']
  const lag = new PeerLag({
    read: (endpoint, cid): Promise<SeenAt> =>
      Promise.resolve(pins[endpoint as 'one' | 'two'].get(cid)),
    available: () => available,
    onChange: (endpoint, { isBehind, lagMs }) =>
      reports.push(`${endpoint} ${isBehind ? 'lags' : 'is back'} ${lagMs}`),
    monotonic: now,
    setTimer,
  })
  const pass = (seconds: number) => turn(seconds * 1000)
  return { lag, pins, reports, pass, available }
}

t.test(
  'a peer that lacks a write of half a minute ago is reported once, and again when it has it',
  async (t) => {
    const { lag, pins, reports, pass } = peers()
    pins.one.set('a', 5)
    lag.wrote('POST', '/pins/a?name=x')
    await pass(20)
    t.equal(lag.isBehind('two'), true)
    t.equal(lag.isBehind('one'), false)
    t.same(reports, [], 'not so soon')
    await pass(40)
    t.same(reports, ['two lags 30000'])
    t.equal(lag.lagMs('two'), 60_000)
    // What is written meanwhile at the peer that keeps up changes nothing.
    pins.one.set('b', 60)
    lag.wrote('POST', '/pins/b')
    await pass(20)
    pins.two.set('a', 5)
    await pass(10)
    t.same(reports, ['two lags 30000', 'two is back 90000'])
    t.equal(lag.lagMs('two'), 0)
  },
)

t.test(
  'peers that agree are never reported, nor is the time between two writes of one pin',
  async (t) => {
    const { lag, pins, reports, pass } = peers()
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
    t.same(reports, [])
  },
)

t.test(
  'a peer that still has an unpinned pin lags, and so does one with an older record',
  async (t) => {
    const { lag, pins, reports, pass } = peers()
    pins.two.set('a', 1)
    lag.wrote('DELETE', '/pins/a')
    await pass(40)
    t.same(reports, ['two lags 30000'])
    pins.two.delete('a')
    await pass(20)
    pins.one.set('b', 7)
    pins.two.set('b', 6)
    lag.wrote('POST', '/pins/b')
    await pass(60)
    t.match(reports.at(-1), /^two lags/)
  },
)

t.test('a pin for which only one peer can be asked does not count as lag', async (t) => {
  const { lag, pins, reports, pass, available } = peers()
  pins.one.set('a', 1)
  available.pop()
  lag.wrote('POST', '/pins/a')
  await pass(120)
  t.same(reports, [])
  t.equal(lag.isBehind('two'), false)
})
