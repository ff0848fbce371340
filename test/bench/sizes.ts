/** What the command line asks for: which items, and how much of each. */
import { parseArgs } from 'node:util'

export interface Sizes {
  /** Rounds of each program, of which the median counts. */
  readonly rounds: number
  readonly roundMs: number
  /** Before each round, and not counted: what idled meanwhile has lost caches and compiled code. */
  readonly runInMs: number
  readonly warmUpMs: number
  readonly warmUpAnswers: number
  /** Requests of one round over one connection. */
  readonly latencyRequests: number
  readonly listingLines: number
  readonly listingRounds: number
  /** For 50 at once; a listing of full size would take minutes. */
  readonly crowdLines: number
  readonly starts: number
}

const itemsMax = 14

const full: Sizes = {
  rounds: 5,
  roundMs: 1500,
  runInMs: 2500,
  warmUpMs: 1500,
  warmUpAnswers: 40_000,
  latencyRequests: 1500,
  listingLines: 317_506,
  listingRounds: 3,
  crowdLines: 40_000,
  starts: 5,
}

const quick: Sizes = {
  rounds: 3,
  roundMs: 400,
  runInMs: 200,
  warmUpMs: 800,
  warmUpAnswers: 8000,
  latencyRequests: 400,
  listingLines: 40_000,
  listingRounds: 2,
  crowdLines: 8000,
  starts: 3,
}

export interface Options {
  readonly sizes: Sizes
  readonly isQuick: boolean
  readonly isJson: boolean
  /** A trick to be taken out, rather than the items. */
  readonly ablate: string | undefined
  wants(item: number): boolean
}

/** @throws when there is an unknown option */
export function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      ablate: { type: 'string' },
    },
  })
  const only = values.only?.split(',').map(Number)
  if (only?.some((item) => !Number.isInteger(item) || item < 1 || item > itemsMax) === true)
    throw new Error(`--only takes numbers of items from 1 to ${itemsMax}, such as 7,9`)
  return {
    sizes: values.quick ? quick : full,
    isQuick: values.quick,
    isJson: values.json,
    ablate: values.ablate,
    wants: (item) => only?.includes(item) ?? true,
  }
}
