/** Item 5: what a wrong key costs, and whether it tells which names there are. */
import { generateKey } from '../../../src/settings/keyring/key.js'
import type { Bench } from '../bench.js'
import { getRequests } from '../load/requests.js'
import { user } from '../programs/passwords.js'
import { judged, judgedHeader, type Section, section } from '../report.js'
import { costCells, costHeader } from './cost-table.js'
import { costs, ratioOf } from './load-cost.js'

const connections = 64
const rightMost = 0.8
const apartMost = 0.05

export async function wrongKey(bench: Bench): Promise<Section[]> {
  const asked = [
    { name: 'right key', status: 200, credentials: [] as string[] },
    { name: 'wrong key, known name', status: 401, credentials: wrong(user) },
    { name: 'wrong key, unknown name', status: 401, credentials: wrong('nobody-1') },
  ]
  const found = await bench.with([bench.gate()], async ([gate]) => {
    if (gate === undefined) return []
    const { pid, port } = gate
    return costs(
      bench,
      asked.map(({ name, status, credentials }) => {
        const all = credentials.length === 0 ? [gate.credential] : credentials
        const requests = getRequests(
          '/id',
          all.map((credential) => ({ credential })),
        )
        return { pid, load: { name, port, requests, connections, status } }
      }),
    )
  })
  const [right, known, unknown] = found
  if (right === undefined || known === undefined || unknown === undefined) return []
  const apart = Math.abs(1 - ratioOf(known, unknown))
  const header = ['asked with', ...costHeader, ...judgedHeader('to the right key')]
  const rows = found.map((cost) => [
    ...costCells(cost),
    ...judged(cost === right ? undefined : ratioOf(cost, right), rightMost),
  ])
  return [
    section(
      `5. A wrong key, ${connections} kept connections`,
      header,
      rows,
      `known and unknown name are ${(apart * 100).toFixed(1)} % apart; target ≤ ` +
        `${apartMost * 100} %: ${apart <= apartMost ? 'ok' : 'MISS'}`,
    ),
  ]
}

/** Well-formed, but nobody's. */
const wrong = (name: string): string[] =>
  Array.from({ length: 256 }, () => `${name}:${generateKey()}`)
