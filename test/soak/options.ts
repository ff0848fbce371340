/** What the command line of the soak says. */
import { parseArgs } from 'node:util'
import { type Trouble, troubles } from './troubles.js'

export interface SoakOptions {
  readonly requests: number
  readonly minutes: number
  readonly seed: number
  /** Those that the cluster has by turns: of a fault, its own is the quickest way to it again. */
  readonly troubles: readonly Trouble[]
}

/** @throws when an argument is unknown, or none of its kind */
export function readOptions(args: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      requests: { type: 'string', default: '1000000' },
      minutes: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      trouble: { type: 'string', multiple: true, default: [...troubles] },
    },
  })
  return {
    requests: positive('requests', values.requests),
    minutes: positive('minutes', values.minutes),
    seed: Math.trunc(positive('seed', values.seed)),
    troubles: values.trouble.map(known),
  }
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (!(number > 0 && number < Infinity)) throw new Error(`--${name}: not a positive number`)
  return number
}

function known(name: string): Trouble {
  const trouble = troubles.find((each) => each === name)
  if (trouble === undefined) throw new Error(`--trouble: one of ${troubles.join(', ')}`)
  return trouble
}
