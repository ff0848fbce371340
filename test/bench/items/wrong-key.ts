/** Item 5: what a refusal costs, and whether that of a wrong key tells which names there are. */
import { generateKey } from '../../../src/settings/keyring/key.js'
import type { Bench } from '../bench.js'
import { getRequests } from '../load/requests.js'
import { user } from '../programs/passwords.js'
import { judged, judgedHeader, type Section, section } from '../report.js'
import { costCells, costHeader } from './cost-table.js'
import { costs, ratioOf } from './load-cost.js'

const connections = 64
const rightMost = { 401: 0.5, 429: 0.4 }
const apartMost = 0.05

export async function wrongKey(bench: Bench): Promise<Section[]> {
  const asked = [
    { name: 'right key', status: 200, credentials: [] as string[] },
    { name: 'wrong key, known name', status: 401, credentials: wrong(user) },
    { name: 'wrong key, unknown name', status: 401, credentials: wrong('nobody-1') },
  ]
  const found = await bench.with([bench.gate(), bench.gate({ readsMax: 1 })], (programs) => {
    const [gate, strict] = programs
    if (gate === undefined || strict === undefined) return Promise.resolve([])
    const { pid, port } = gate
    const requestsOf = (credentials: readonly string[]) =>
      getRequests(
        '/id',
        credentials.map((credential) => ({ credential })),
      )
    const subjects = asked.map(({ name, status, credentials }) => {
      const requests = requestsOf(credentials.length === 0 ? [gate.credential] : credentials)
      return { pid, load: { name, port, requests, connections, status } }
    })
    const requests = requestsOf([strict.credential])
    const limited = {
      name: 'budget used up',
      port: strict.port,
      requests,
      connections,
      status: 429,
    }
    return costs(bench, [...subjects, { pid: strict.pid, load: limited }])
  })
  const [right, known, unknown, limited] = found
  if (right === undefined || known === undefined || unknown === undefined) return []
  const apart = Math.abs(1 - ratioOf(known, unknown))
  const header = ['asked with', ...costHeader, ...judgedHeader('to the right key')]
  const rows = found.map((cost) => [
    ...costCells(cost),
    ...judged(
      cost === right ? undefined : ratioOf(cost, right),
      rightMost[cost === limited ? 429 : 401],
    ),
  ])
  return [
    section(
      `5. Refusals, ${connections} kept connections`,
      header,
      rows,
      `known and unknown name are ${(apart * 100).toFixed(1)} % apart; target ≤ ` +
        `${apartMost * 100} %: ${apart <= apartMost ? 'ok' : 'MISS'}`,
    ),
  ]
}

/** Well-formed, but no encoder's. */
const wrong = (name: string): string[] =>
  Array.from({ length: 256 }, () => `${name}:${generateKey()}`)
