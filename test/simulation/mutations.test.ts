/** Each planted mutation is noticed: they are the reason to believe the simulation. */
import t from 'tap'
import { mutations, runMutation } from './mutations.js'

const stepsMax = 9000

for (const mutation of mutations)
  t.test(`it is noticed that ${mutation.name} (${mutation.row})`, async (t) => {
    const { caught, unbroken, steps } = await runMutation(mutation, mutation.seed ?? 1, stepsMax)
    t.ok(caught, `within ${stepsMax} steps`)
    t.equal(unbroken, undefined, 'the same run without it breaks nothing')
    t.comment(`${steps} steps`)
  })
