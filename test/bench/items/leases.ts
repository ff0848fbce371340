/** Item 12: what it costs to know whose pin it is. */
import type { Bench } from '../bench.js'
import { pinRequests } from '../load/requests.js'
import type { Section } from '../report.js'
import { pinBytes } from '../upstream-answers.js'
import { costTable } from './cost-table.js'
import { costs } from './load-cost.js'

const connections = 64

/** A recover is the same way with the same answer, but for the read of the state and the lease. */
export async function leases(bench: Bench): Promise<Section[]> {
  const answered = { status: 200, bytes: pinBytes.shown, connections }
  const found = await bench.with([bench.gate()], async ([gate]) => {
    if (gate === undefined) return []
    const { pid, port, credential } = gate
    const load = (name: string, below: string) => ({
      pid,
      load: { name, port, requests: pinRequests({ credential }, below), ...answered },
    })
    return costs(bench, [load('POST with its lease', ''), load('POST without', '/recover')])
  })
  const title = `12. A pin with its lease, and a write without, ${connections} kept connections`
  return [costTable(title, found, {})]
}
