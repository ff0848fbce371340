/** Item 6: whether it matters how many encoders there are, all of them active. */
import type { Bench, Start } from '../bench.js'
import { getRequests } from '../load/requests.js'
import { judged, judgedHeader, type Section, section } from '../report.js'
import { bodyBytes, idAnswer } from '../upstream-answers.js'
import { costCells, costHeader } from './cost-table.js'
import { costs, ratioOf } from './load-cost.js'

const connections = 64
const [few, many] = [10, 10_000]

export async function manyEncoders(bench: Bench): Promise<Section[]> {
  const pair = (start: (users: number) => Start[]): Start[] => [...start(few), ...start(many)]
  const starts = [
    ...pair((encoders) => [bench.gate({ encoders }, `pinwarden, ${encoders} users`)]),
    ...pair((users) => bench.nginx('ssha', users)),
    ...pair((users) => bench.haproxy(users)),
  ]
  const found = await bench.with(starts, (programs) =>
    costs(
      bench,
      programs.map(({ name, pid, port, credential, credentials = [credential] }) => ({
        pid,
        load: {
          ...{ name, port, connections, status: 200, bytes: bodyBytes(idAnswer) },
          requests: getRequests(
            '/id',
            credentials.map((credential) => ({ credential })),
          ),
        },
      })),
    ),
  )
  const rows = found.map((cost, n) => {
    const other = n % 2 === 1 ? found[n - 1] : undefined
    const target = cost.name.startsWith('pinwarden') ? 1.05 : undefined
    return [...costCells(cost), ...judged(other && ratioOf(cost, other), target)]
  })
  const header = ['program', ...costHeader, ...judgedHeader(`${many} to ${few}`)]
  const title = `6. GET /id, ${few} and ${many} active encoders, ${connections} kept connections`
  return [
    section(
      title,
      header,
      rows,
      'in the gate each asks in turn; elsewhere the one in the middle of the list',
    ),
  ]
}
