/** Each planted mutation is noticed: they are the reason to believe the simulation. */
import t from 'tap'
import { mutations } from './mutations.js'
import { SimulationThread } from './simulation-thread.js'

const stepsMax = 9000

const thread = new SimulationThread()
t.teardown(() => thread.close())

for (const [index, mutation] of mutations.entries())
  t.test(`it is noticed that ${mutation.name} (${mutation.row})`, async (t) => {
    const { caught, unbroken, steps } = await thread.run('mutation', index, stepsMax)
    t.ok(caught, `within ${stepsMax} steps`)
    t.equal(unbroken, undefined, 'the same run without it breaks nothing')
    t.comment(`${steps} steps`)
  })
