/** How much memory garbage takes, and when that of the start is collected. */
import t from 'tap'
import { collectWhenIdle, limitGarbage } from '../../src/daemon/garbage.js'
import { clock } from '../support/clock.js'

t.test('garbage takes no more than half of what is in use', (t) => {
  limitGarbage()
  // Objects live long enough to become old ones: 20 MB of them at any time.
  const inUse: object[] = []
  let peak = 0
  for (let turn = 0; turn < 500; turn++) {
    inUse[turn % 50] = Array.from({ length: 10_000 }, (_, index) => ({ index, turn }))
    peak = Math.max(peak, process.memoryUsage().heapUsed)
  }
  t.ok(peak < 110e6, `${peak}`)
  t.end()
})

t.test('the garbage of the start is collected once, when the daemon is idle', async (t) => {
  const timers = clock()
  const shares = [0.9, 0.06, 0.01]
  let collections = 0
  const collect = () => Promise.resolve(collections++)
  collectWhenIdle(collect, { timers, busyShare: () => shares.shift() ?? 0 })
  for (const expected of [0, 0, 1, 1, 1]) {
    await timers.turn(5000)
    t.equal(collections, expected)
  }
  t.same(shares, [], 'and then looks no more')
})
