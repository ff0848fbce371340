/** What one request costs each of several programs under the same load. */
import type { Bench } from '../bench.js'
import { type Load, run } from '../load/load.js'
import { byTurns, median, spent } from '../measure.js'
import type { Sizes } from '../sizes.js'

/** Some are too slow for so many answers. */
const warmUpPasses = 4

export interface Subject {
  readonly pid: number
  readonly load: Omit<Load, 'durationMs' | 'answersMax'>
}

export interface Cost {
  readonly name: string
  /** CPU seconds per request. */
  readonly cpu: number
  readonly perSecond: number
}

export async function costs(
  { sizes }: Bench,
  subjects: readonly Subject[],
  rounds = sizes.rounds,
): Promise<Cost[]> {
  for (const { load } of subjects) await warmUp(load, sizes)
  const all = await byTurns(subjects, rounds, ({ pid, load }) =>
    spent(pid, () => run({ ...load, durationMs: sizes.roundMs })),
  )
  return subjects.map(({ load }, n) => {
    const each = all[n] ?? []
    return {
      name: load.name,
      cpu: median(each.map(({ cpu, result }) => cpu / result.answers)),
      perSecond: median(each.map(({ result }) => result.answers / result.seconds)),
    }
  })
}

/** Node's compiler is done after some thousand requests, however long they take. */
async function warmUp(load: Load, { warmUpMs, warmUpAnswers }: Sizes): Promise<void> {
  let answers = 0
  for (let pass = 0; pass < warmUpPasses && answers < warmUpAnswers; pass++)
    answers += (await run({ ...load, durationMs: warmUpMs })).answers
}
