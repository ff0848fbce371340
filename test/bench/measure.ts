/** Measures by turns: each round asks every subject once, so that what wobbles meets them alike. */
import { setTimeout } from 'node:timers/promises'
import { cpuOf } from './proc.js'

export interface Spent<Result> {
  readonly result: Result
  /** In seconds. */
  readonly cpu: number
  readonly seconds: number
}

/** What a program still does when the last answer is there, such as writing its log. */
const aftermathMs = 50

export async function spent<Result>(
  pid: number,
  work: () => Promise<Result>,
): Promise<Spent<Result>> {
  const cpuBefore = cpuOf(pid)
  const startMs = performance.now()
  const result = await work()
  const seconds = (performance.now() - startMs) / 1000
  await setTimeout(aftermathMs)
  return { result, seconds, cpu: cpuOf(pid) - cpuBefore }
}

/** @returns the results of each subject, in the order of the subjects */
export async function byTurns<Subject, Result>(
  subjects: readonly Subject[],
  rounds: number,
  work: (subject: Subject) => Promise<Result>,
): Promise<Result[][]> {
  const results = subjects.map((): Result[] => [])
  for (let round = 0; round < rounds; round++)
    for (const [n, subject] of subjects.entries()) results[n]?.push(await work(subject))
  return results
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = NaN, high = NaN] = [sorted[middle - 1], sorted[middle]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

/** Of two that took turns: the median of what one is to the other within a round. */
export const medianRatio = (ours: readonly number[], its: readonly number[]): number =>
  median(ours.map((each, round) => each / (its[round] ?? NaN)))

/** @param share such as 0.99: so many are not greater */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = Float64Array.from(numbers).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
