/** Item 6: whether it matters how many encoders there are. */
import type { Bench, Start } from '../bench.js'
import { getRequest } from '../load/requests.js'
import { judged, judgedHeader, micros, section } from '../report.js'
import { bodyBytes, idAnswer } from '../upstream-answers.js'
import { costs } from './load-cost.js'

const connections = 64
const [few, many] = [10, 10_000]

export async function manyEncoders(bench: Bench): Promise<string> {
  const pair = (start: (users: number) => Start[]): Start[] => [...start(few), ...start(many)]
  const starts = [
    ...pair((encoders) => [bench.gate({ encoders }, `pinwarden, ${encoders} users`)]),
    ...pair((users) => bench.nginx('ssha', users)),
    ...pair((users) => bench.haproxy(users)),
  ]
  const found = await bench.with(starts, (programs) =>
    costs(
      bench,
      programs.map(({ name, pid, port, credential }) => ({
        pid,
        load: {
          ...{ name, port, connections, status: 200, bytes: bodyBytes(idAnswer) },
          requests: [getRequest('/id', { credential })],
        },
      })),
    ),
  )
  const rows = found.map(({ name, cpu, perSecond }, n) => {
    const ratio = n % 2 === 1 ? cpu / (found[n - 1]?.cpu ?? NaN) : undefined
    const target = name.startsWith('pinwarden') ? 1.05 : undefined
    return [name, micros(cpu), perSecond.toFixed(0), ...judged(ratio, target)]
  })
  const header = ['program', 'CPU/request', 'requests/s', ...judgedHeader(`${many} to ${few}`)]
  const title = `6. GET /id with ${few} and with ${many} encoders, ${connections} kept connections`
  return section(title, header, rows, 'the one that asks is in the middle of the list')
}
