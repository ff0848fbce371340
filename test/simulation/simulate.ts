/** The command `npm run simulate -- --seed N --steps M --gates G`. */
import { parseArgs } from 'node:util'
import { type FaultName, faultNames } from './commands.js'
import { openGateUnderTest } from './gate-under-test.js'
import { runMutations } from './mutations.js'
import { shorten } from './shorten.js'
import { simulate, worldSeed, runWorld } from './simulation.js'
import { withShortCids } from './world.js'

const help = `npm run simulate -- [options]

  --seed N       where the random begins; the same seed is the same run (default: the time)
  --steps M      requests and faults in all (default 100000)
  --gates G      gates that write the cluster, 1 to 8 (default 1); several share a store
  --faults A,B   only these: ${faultNames.join(' ')}
  --without A,B  all but these
  --all          every world has all of these faults, not some of them
  --narrow       short worlds with one or two CIDs and few kinds of faults
  --world N      only the world of this number, from its beginning
  --mutations    breaks the ledger in each way that is planned, until that is noticed
  --only NAME    of the mutations, one
`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    steps: { type: 'string', default: '100000' },
    gates: { type: 'string', default: '1' },
    faults: { type: 'string' },
    without: { type: 'string' },
    all: { type: 'boolean', default: false },
    narrow: { type: 'boolean', default: false },
    world: { type: 'string' },
    mutations: { type: 'boolean', default: false },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const say = (text: string): void => void process.stdout.write(`${withShortCids(text)}\n`)

function faultsOf(text: string | undefined): readonly FaultName[] | undefined {
  if (text === undefined) return undefined
  return text.split(',').map((name) => {
    const known = faultNames.find((fault) => fault === name)
    if (known === undefined) throw new Error(`${name} is no fault: ${faultNames.join(' ')}`)
    return known
  })
}

if (values.help) say(help)
else if (!/^[1-8]$/.test(values.gates)) {
  say(`--gates ${values.gates}: 1 to 8 gates can be simulated`)
  process.exitCode = 2
} else {
  const seed = Number(values.seed ?? Date.now() % 1_000_000_007)
  const steps = Number(values.steps)
  if (values.mutations) process.exitCode = (await mutations(seed, steps)) ? 0 : 1
  else process.exitCode = (await run(seed, steps)) ? 0 : 1
}

async function run(seed: number, steps: number): Promise<boolean> {
  const without = faultsOf(values.without) ?? []
  const faults = (faultsOf(values.faults) ?? faultNames).filter((name) => !without.includes(name))
  const gates = Number(values.gates)
  const { all: hasAll, narrow: isNarrow } = values
  const options = { openGate: openGateUnderTest, faults, hasAll, gates, isNarrow }
  const startMs = performance.now()
  const one = values.world === undefined ? undefined : Number(values.world)
  const world = one === undefined ? undefined : await runWorld(worldSeed(seed, one), steps, options)
  const result =
    world === undefined
      ? await simulate(seed, steps, options)
      : { ...world, worlds: 1, failed: world.violations.length > 0 ? world : undefined }
  const seconds = (performance.now() - startMs) / 1000
  const rate = Math.round(result.steps / seconds)
  say(
    `seed ${seed}, gates ${gates}: ${result.steps} steps, ${result.worlds} worlds, ${rate} steps/s`,
  )
  for (const [cost, count] of result.costs)
    say(`  accepted by the table of costs: ${cost} ${count}`)
  const { failed } = result
  if (failed === undefined) return true
  const number = one ?? result.worlds - 1
  say(`\nseed ${seed}, world ${number}, step ${failed.steps} of it:`)
  for (const { invariant, text } of failed.violations.slice(0, 5)) say(`  ${invariant}: ${text}`)
  const shorter = await shorten(failed, options)
  const count = shorter.episodes.flat().length
  say(`\nshortened to ${count} commands:`)
  for (const line of shorter.history.slice(-120)) say(line)
  return false
}

async function mutations(seed: number, steps: number): Promise<boolean> {
  let areAllCaught = true
  const { only } = values
  for await (const { mutation, steps: taken, caught, unbroken } of runMutations({
    ...{ seed, steps, only },
  })) {
    const how = caught === undefined ? 'NOT CAUGHT' : `${caught.invariant}: ${caught.text}`
    say(`${mutation.row.padEnd(4)} ${mutation.name.padEnd(48)} ${taken} steps  ${how}`)
    if (unbroken !== undefined)
      say(`     without the mutation as well: ${unbroken.invariant}: ${unbroken.text}`)
    areAllCaught &&= caught !== undefined && unbroken === undefined
  }
  return areAllCaught
}
