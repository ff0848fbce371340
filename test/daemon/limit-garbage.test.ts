/** How much memory garbage takes before V8 collects it. */
import t from 'tap'
import { limitGarbage } from '../../src/daemon/limit-garbage.js'

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
