/** Runs one world after another, each from its own seed, until one breaks an invariant. */
import { type Command, Commands, type FaultName, faultNames, storeFaults } from './commands.js'
import type { CrashName } from './crash-costs.js'
import type { OpenGate } from './gate-port.js'
import type { Violation } from './reference-model.js'
import { SeededRandom } from './seeded-random.js'
import { type Break, World } from './world.js'

export interface SimulationOptions {
  readonly openGate: OpenGate
  readonly breakParts?: Break | undefined
  /** Faults that may happen; each world has some of them. */
  readonly faults: readonly FaultName[]
  /** Whether every world has all of them. */
  readonly hasAll?: boolean
  /** That write the cluster; one when absent. */
  readonly gates?: number
  /** Whether each world is short, with one or two CIDs and few kinds of faults. */
  readonly isNarrow?: boolean
}

export interface WorldResult {
  readonly seed: number
  readonly steps: number
  readonly leasesMax: number
  readonly violations: readonly Violation[]
  readonly episodes: readonly (readonly Command[])[]
  readonly history: readonly string[]
  readonly costs: ReadonlyMap<CrashName, number>
}

/** Of the n-th world of a run. */
export const worldSeed = (seed: number, index: number): number =>
  (Math.imul(seed, 0x9e3779b1) + index) | 0

/** Draws a world with its commands, and runs it. */
export function runWorld(seed: number, stepsMax: number, options: SimulationOptions) {
  const random = new SeededRandom(seed)
  const { faults, hasAll = false, gates = 1, isNarrow = false } = options
  const possible = faults.filter((name) => gates > 1 || !storeFaults.has(name))
  const draw = isNarrow ? narrowWorld : wideWorld
  const world = draw(random, possible, hasAll)
  const burstiness = random.of([0.02, 0.1, 0.4])
  const commands = new Commands(world.random, { ...world, gates, burstiness })
  const episodes: Command[][] = []
  for (let left = stepsMax; left > 0 && episodes.length < world.episodesMax;) {
    const episode = commands.episode(Math.min(left, random.between(...world.commands)))
    left -= episode.length
    episodes.push(episode)
  }
  return runEpisodes(seed, episodes, options, world.faults.has('quota') ? quota : Infinity)
}

interface Drawn {
  /** For the commands. */
  readonly random: SeededRandom
  readonly faults: ReadonlySet<FaultName>
  readonly cids: number
  readonly encoders: number
  /** Fewest and most of an episode. */
  readonly commands: readonly [number, number]
  readonly episodesMax: number
}

function wideWorld(random: SeededRandom, possible: readonly FaultName[], hasAll: boolean): Drawn {
  const share = random.of([0.15, 0.3, 0.6])
  // Few faults at a time reach what many at once would hide.
  const faults = new Set(possible.filter(() => hasAll || random.is(share)))
  return {
    ...{ faults, random: random.fork() },
    ...{ cids: random.of([3, 6, 12, 40, 250]), encoders: encoderCount },
    ...{ commands: [5, 120], episodesMax: 8 },
  }
}

/** What a few requests of the same pin, and one or two faults at the wrong time, can do. */
function narrowWorld(random: SeededRandom, possible: readonly FaultName[], hasAll: boolean): Drawn {
  const count = random.between(1, 3)
  const some = Array.from({ length: count }, () => possible[random.below(possible.length)])
  const faults = new Set(hasAll ? possible : some.filter((name) => name !== undefined))
  return {
    ...{ faults, random: random.fork() },
    ...{ cids: random.of([1, 1, 2]), encoders: random.between(1, 3) },
    ...{ commands: [3, 20], episodesMax: 2 },
  }
}

/** `limits.leases` */
export const quota = 5

const encoderCount = 4

export async function runEpisodes(
  seed: number,
  episodes: readonly (readonly Command[])[],
  { openGate, breakParts, gates = 1 }: SimulationOptions,
  leasesMax: number,
): Promise<WorldResult> {
  const parts = { seed, openGate, breakParts, gates, encoders: encoderCount, leasesMax }
  const world = new World(parts)
  let steps = 0
  let isFirst = true
  for (const episode of episodes) {
    steps += await world.run(episode, isFirst)
    isFirst = false
    if (world.violations.length > 0) break
  }
  const { violations, history } = world
  return { seed, steps, leasesMax, violations, episodes, history, costs: world.model.costs }
}

export interface RunResult {
  readonly steps: number
  readonly worlds: number
  readonly failed?: WorldResult | undefined
  readonly costs: ReadonlyMap<CrashName, number>
}

/** So many steps from one seed, or up to the first violation. */
export async function simulate(
  seed: number,
  steps: number,
  options: SimulationOptions,
): Promise<RunResult> {
  const costs = new Map<CrashName, number>()
  let done = 0
  let worlds = 0
  while (done < steps) {
    const result = await runWorld(worldSeed(seed, worlds++), steps - done, options)
    done += result.steps
    for (const [cost, count] of result.costs) costs.set(cost, (costs.get(cost) ?? 0) + count)
    if (result.violations.length > 0) return { steps: done, worlds, failed: result, costs }
  }
  return { steps: done, worlds, costs }
}

export const allFaults: readonly FaultName[] = faultNames
