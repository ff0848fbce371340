/** Prints costs per request, the first program against each of the others. */
import { judged, judgedHeader, micros, section } from '../report.js'
import type { Cost } from './load-cost.js'

/** @param targets by the names of the peers */
export function costTable(
  title: string,
  costs: readonly Cost[],
  targets: Readonly<Record<string, number>>,
  ...notes: readonly string[]
): string {
  const [ours] = costs
  const rows = costs.map((cost) => [
    cost.name,
    micros(cost.cpu),
    cost.perSecond.toFixed(0),
    ...judged(
      cost === ours || ours === undefined ? undefined : ours.cpu / cost.cpu,
      targets[cost.name],
    ),
  ])
  const header = ['program', 'CPU/request', 'requests/s', ...judgedHeader('CPU ours/its')]
  return section(title, header, rows, ...notes)
}
