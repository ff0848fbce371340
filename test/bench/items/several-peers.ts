/** Item 13: what it costs a healthy cluster's gate to be ready for one that is not. */
import type { Bench } from '../bench.js'
import { getRequest, pinRequests } from '../load/requests.js'
import { bodyBytes, idAnswer, pinAnswer } from '../upstream-answers.js'
import { Upstream } from '../upstream-process.js'
import { costTable } from './cost-table.js'
import { costs } from './load-cost.js'

const connections = 64

export async function severalPeers(bench: Bench): Promise<string> {
  const others = await Promise.all([1, 2].map(() => Upstream.start(bench.workshop)))
  const otherPorts = others.map(({ port }) => port)
  const starts = [
    bench.gate({ otherPorts, onOutage: 'journal' }, 'three peers and a journal'),
    bench.gate({}, 'one peer'),
  ]
  return bench.with(starts, async (programs) => {
    const found = async (requests: (credential: string) => readonly Buffer[], answer: Buffer) =>
      costs(
        bench,
        programs.map(({ name, pid, port, credential }) => ({
          pid,
          load: {
            ...{ name, port, connections, status: 200, bytes: bodyBytes(answer) },
            requests: requests(credential),
          },
        })),
      )
    const ids = await found((credential) => [getRequest('/id', { credential })], idAnswer)
    const pins = await found((credential) => pinRequests(512, { credential }), pinAnswer)
    const targets = { 'one peer': 1.05 }
    return (
      costTable(`13. GET /id of a healthy cluster, ${connections} kept connections`, ids, targets) +
      costTable('    and POST /pins/{cid}', pins, targets)
    )
  })
}
