/** Prints costs per request, the first program against each of the others. */
import { median } from '../measure.js'
import {
  type Cell,
  fixed,
  judged,
  judgedHeader,
  megabytes,
  micros,
  millis,
  type Section,
  section,
} from '../report.js'
import { type Cost, ratioOf } from './load-cost.js'

/** @param targets by the names of the peers */
export function costTable(
  title: string,
  costs: readonly Cost[],
  targets: Readonly<Record<string, number>>,
  ...notes: readonly string[]
): Section {
  const [ours] = costs
  const rows = costs.map((cost) => [
    ...costCells(cost),
    ...judged(
      cost === ours || ours === undefined ? undefined : ratioOf(ours, cost),
      targets[cost.name],
    ),
  ])
  return section(title, ['program', ...costHeader, ...judgedHeader('CPU ours/its')], rows, ...notes)
}

export const costHeader = ['CPU/request', 'requests/s', 'p50', 'p99', 'memory', 'peak']

/** With the name before them. */
export const costCells = ({ name, cpus, perSecond, p50, p99, before, peak }: Cost): Cell[] => [
  ...[name, micros(median(cpus)), fixed(perSecond, 0), millis(p50), millis(p99)],
  ...[megabytes(before), megabytes(peak)],
]
