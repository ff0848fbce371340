/** Ways to break the ledger, each of which the simulation must notice. */
import type { FaultName } from './commands.js'
import { codeMutations } from './code-mutations.js'
import { endingMutations } from './ending-mutations.js'
import { gateMutations } from './gate-mutations.js'
import { openGateUnderTest } from './gate-under-test.js'
import { portMutations } from './port-mutations.js'
import type { Violation } from './reference-model.js'
import { simulate } from './simulation.js'
import type { Break } from './world.js'

export interface Mutation {
  /** The fault of the list that it brings back. */
  readonly row: string
  readonly name: string
  /** One when absent. */
  readonly gates?: number
  /** What has to happen for it to matter. */
  readonly faults: readonly FaultName[]
  /** Breaks a port of the gate. */
  readonly breakParts?: Break
  /** Breaks the code; @returns undoes that */
  readonly breakCode?: () => () => void
  /** That it is noticed by within the steps of the test. */
  readonly seed?: number
}

export const mutations: readonly Mutation[] = [
  ...portMutations,
  ...codeMutations,
  ...endingMutations,
  ...gateMutations,
].sort((one, other) => Number(one.row.slice(1)) - Number(other.row.slice(1)))

export interface Caught {
  readonly mutation: Mutation
  readonly steps: number
  /** Undefined: the simulation did not notice. */
  readonly caught: Violation | undefined
  /** What the same run finds without the mutation: then it proves nothing. */
  readonly unbroken: Violation | undefined
}

export async function runMutation(
  mutation: Mutation,
  seed: number,
  stepsMax: number,
): Promise<Caught> {
  const { faults, gates = 1, breakParts, breakCode } = mutation
  const options = { openGate: openGateUnderTest, faults, gates, hasAll: true }
  const mend = breakCode?.()
  const broken = await simulate(seed, stepsMax, { ...options, breakParts }).finally(mend)
  const whole = await simulate(seed, broken.steps, options)
  const caught = broken.failed?.violations[0]
  return { mutation, steps: broken.steps, caught, unbroken: whole.failed?.violations[0] }
}

export async function* runMutations(run: {
  readonly seed: number
  readonly steps: number
  /** Part of the name, or the row; undefined: all of them. */
  readonly only?: string | undefined
}): AsyncGenerator<Caught> {
  const { seed, steps, only = '' } = run
  for (const mutation of mutations)
    if (mutation.name.includes(only) || mutation.row === only)
      yield await runMutation(mutation, mutation.seed ?? seed, steps)
}
