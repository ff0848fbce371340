/** Item 4: a connection for each request, as clients without an agent make them. */
import type { Bench } from '../bench.js'
import { getRequests } from '../load/requests.js'
import type { Section } from '../report.js'
import { bodyBytes, idAnswer } from '../upstream-answers.js'
import { costTable } from './cost-table.js'
import { costs } from './load-cost.js'

const connections = 16

export async function newConnections(bench: Bench): Promise<Section[]> {
  return [await over(bench, false), await over(bench, true)]
}

async function over(bench: Bench, isTls: boolean): Promise<Section> {
  const starts = [
    bench.gate({ isTls }),
    bench.floor(),
    bench.plain(),
    ...bench.nginx('apr1'),
    ...bench.caddy(),
  ]
  const answered = { status: 200, bytes: bodyBytes(idAnswer), connections, isFresh: true, isTls }
  const found = await bench.with(starts, (programs) =>
    costs(
      bench,
      programs.map(({ name, pid, port, tlsPort, credential }) => {
        const requests = getRequests('/id', [{ credential, isFresh: true }])
        return { pid, load: { name, port: isTls ? tlsPort : port, requests, ...answered } }
      }),
      Math.min(3, bench.sizes.rounds),
    ),
  )
  const title = `4. A new connection for each GET /id, ${isTls ? 'TLS' : 'plain'}`
  return costTable(title, found, isTls ? { floor: 1.3 } : {})
}
