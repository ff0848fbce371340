/** Item 14: what it costs to share limits and locks with other gates. */
import { whereIs } from '../programs/program.js'
import type { Bench } from '../bench.js'
import { getRequests, pinRequests, type Requests } from '../load/requests.js'
import { type Section, section } from '../report.js'
import { bodyBytes, idAnswer, pinBytes } from '../upstream-answers.js'
import { freePort } from '../sandbox.js'
import { costTable } from './cost-table.js'
import { costs } from './load-cost.js'

const connections = 64

export async function store(bench: Bench): Promise<Section[]> {
  const command = whereIs('redis-server')
  if (command === undefined) return [section('14. skipped: redis-server is not installed', [], [])]
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '']
  bench.sandbox.spawn(bench.sandbox.room('redis'), command, args)
  const redis = `redis://127.0.0.1:${port}`
  const starts = [bench.gate({ redis }, 'shared by redis-server'), bench.gate({}, 'in memory')]
  return bench.with(starts, async (programs) => {
    const found = async (requests: (credential: string) => Requests, bytes: number) =>
      costs(
        bench,
        programs.map(({ name, pid, port: at, credential }) => ({
          pid,
          load: {
            ...{ name, port: at, connections, status: 200, bytes },
            requests: requests(credential),
          },
        })),
      )
    const ids = await found(
      (credential) => getRequests('/id', [{ credential }]),
      bodyBytes(idAnswer),
    )
    const pins = await found((credential) => pinRequests({ credential }), pinBytes.shown)
    return [
      costTable(`14. GET /id with shared limits, ${connections} kept connections`, ids, {}),
      costTable('14. POST /pins/{cid}, with a shared turn as well', pins, {}),
    ]
  })
}
