/** What one request costs each of several programs under the same load. */
import type { Bench } from '../bench.js'
import { type Done, type Load, run } from '../load/load.js'
import { byTurns, median, medianRatio, quantile, type Spent, spent } from '../measure.js'
import { peakOf, resetPeak, rssOf } from '../proc.js'
import type { Sizes } from '../sizes.js'

/** Some are too slow for so many answers. */
const warmUpPasses = 8

export interface Subject {
  readonly pid: number
  readonly load: Omit<Load, 'durationMs' | 'answersMax'>
}

export interface Cost {
  readonly name: string
  /** CPU seconds per request, in each round. */
  readonly cpus: readonly number[]
  readonly perSecond: number
  /** Seconds until the whole answer is there. */
  readonly p50: number
  readonly p99: number
  /** Bytes, when the load began, and at most while it lasted. */
  readonly before: number
  readonly peak: number
}

export async function costs(
  { sizes }: Bench,
  subjects: readonly Subject[],
  rounds = sizes.rounds,
): Promise<Cost[]> {
  const before = subjects.map(({ pid }) => rssOf(pid))
  for (const { pid, load } of subjects) {
    resetPeak(pid)
    await warmUp(load, sizes)
  }
  const all = await byTurns(subjects, rounds, async ({ pid, load }) => {
    await run({ ...load, durationMs: sizes.runInMs })
    return spent(pid, () => run({ ...load, durationMs: sizes.roundMs }))
  })
  return subjects.map(({ load, pid }, n) => ({
    name: load.name,
    before: before[n] ?? NaN,
    peak: peakOf(pid),
    ...summaryOf(all[n] ?? []),
  }))
}

function summaryOf(rounds: readonly Spent<Done>[]) {
  const latency = (share: number) =>
    median(rounds.map(({ result }) => quantile(result.latenciesMs, share))) / 1000
  return {
    cpus: rounds.map(({ cpu, result }) => cpu / result.answers),
    perSecond: median(rounds.map(({ result }) => result.answers / result.seconds)),
    p50: latency(0.5),
    p99: latency(0.99),
  }
}

export const ratioOf = (ours: Cost, its: Cost): number => medianRatio(ours.cpus, its.cpus)

/** Node's compiler is done after some ten thousand requests, however long they take. */
async function warmUp(load: Load, { warmUpMs, warmUpAnswers }: Sizes): Promise<void> {
  let answers = 0
  for (let pass = 0; pass < warmUpPasses && answers < warmUpAnswers; pass++)
    answers += (await run({ ...load, durationMs: warmUpMs })).answers
}
