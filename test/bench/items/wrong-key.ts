/** Item 5: what a wrong key costs, and whether it tells which names there are. */
import { generateKey } from '../../../src/settings/key.js'
import type { Bench } from '../bench.js'
import { getRequest } from '../load/requests.js'
import { user } from '../programs/passwords.js'
import { micros, section } from '../report.js'
import { costs } from './load-cost.js'

const connections = 64
const rightMost = 0.8
const apartMost = 0.05

export async function wrongKey(bench: Bench): Promise<string> {
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
        const requests = all.map((credential) => getRequest('/id', { credential }))
        return { pid, load: { name, port, requests, connections, status } }
      }),
    )
  })
  const cpu = found.map((cost) => cost.cpu)
  const [right = NaN, known = NaN, unknown = NaN] = cpu
  const apart = Math.abs(known - unknown) / Math.max(known, unknown)
  const row = (n: number, said: string[]): string[] => {
    const { name = '', cpu = NaN, perSecond = NaN } = found[n] ?? {}
    return [name, micros(cpu), perSecond.toFixed(0), ...said]
  }
  const against = (cpu: number): string[] => {
    const ratio = cpu / right
    return [ratio.toFixed(2), `≤ ${rightMost}`, ratio <= rightMost ? 'ok' : 'MISS']
  }
  const header = ['asked with', 'CPU/request', 'requests/s', 'to the right key', 'target', '']
  const rows = [row(0, ['', '', '']), row(1, against(known)), row(2, against(unknown))]
  return section(
    `5. A wrong key, ${connections} kept connections`,
    header,
    rows,
    `known and unknown name are ${(apart * 100).toFixed(1)} % apart; target ≤ ` +
      `${apartMost * 100} %: ${apart <= apartMost ? 'ok' : 'MISS'}`,
  )
}

/** Well-formed, but nobody's. */
const wrong = (name: string): string[] =>
  Array.from({ length: 256 }, () => `${name}:${generateKey()}`)
