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

const episodesMax = 8

/** Of the n-th world of a run. */
export const worldSeed = (seed: number, index: number): number =>
  (Math.imul(seed, 0x9e3779b1) + index) | 0

/** Draws a world with its commands, and runs it. */
export function runWorld(seed: number, stepsMax: number, options: SimulationOptions) {
  const random = new SeededRandom(seed)
  const { faults, hasAll = false, gates = 1 } = options
  const share = random.of([0.15, 0.3, 0.6])
  // Few faults at a time reach what many at once would hide.
  const possible = faults.filter((name) => gates > 1 || !storeFaults.has(name))
  const has = new Set(possible.filter(() => hasAll || random.is(share)))
  const commands = new Commands(random.fork(), {
    cids: random.of([3, 6, 12, 40, 250]),
    encoders: encoderCount,
    gates,
    faults: has,
    burstiness: random.of([0.02, 0.1, 0.4]),
  })
  const episodes: Command[][] = []
  for (let left = stepsMax; left > 0 && episodes.length < episodesMax;) {
    const episode = commands.episode(Math.min(left, random.between(5, 120)))
    left -= episode.length
    episodes.push(episode)
  }
  return runEpisodes(seed, episodes, options, has.has('quota') ? quota : Infinity)
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
