/** Items 1 and 2: pins and `GET /id` over kept connections. */
import type { Bench } from '../bench.js'
import { getRequests, pinRequests } from '../load/requests.js'
import type { Section } from '../report.js'
import { bodyBytes, idAnswer, pinBytes } from '../upstream-answers.js'
import { costTable } from './cost-table.js'
import { costs } from './load-cost.js'

const connections = 64

export async function pins(bench: Bench): Promise<Section[]> {
  const answered = { status: 200, connections }
  const starts = [
    bench.gate(),
    ...bench.nginx('apr1'),
    ...bench.nginx('ssha'),
    ...bench.nginx('bcrypt'),
    ...bench.caddy(),
    bench.plain(),
    bench.floor(),
  ]
  const found = await bench.with(starts, (programs) =>
    costs(
      bench,
      programs.map(({ name, pid, port, credential }, n) => {
        const bytes = n === 0 ? pinBytes.shown : pinBytes.said
        return {
          pid,
          load: { name, port, requests: pinRequests({ credential }), bytes, ...answered },
        }
      }),
    ),
  )
  const targets = { 'nginx apr1': 0.6, caddy: 1, 'plain stack': 0.75, floor: 2 }
  return [costTable(`1. POST /pins/{cid}, ${connections} kept connections`, found, targets)]
}

export async function ids(bench: Bench): Promise<Section[]> {
  const answered = { status: 200, bytes: bodyBytes(idAnswer), connections }
  const starts = [
    bench.gate(),
    ...bench.nginx('apr1'),
    ...bench.nginx('ssha'),
    ...bench.caddy(),
    bench.plain(),
    bench.floor(),
  ]
  const found = await bench.with(starts, (programs) =>
    costs(
      bench,
      programs.map(({ name, pid, port, credential }) => ({
        pid,
        load: { name, port, requests: getRequests('/id', [{ credential }]), ...answered },
      })),
    ),
  )
  const targets = { 'nginx apr1': 0.5, caddy: 0.8, floor: 2 }
  return [costTable(`2. GET /id, ${connections} kept connections`, found, targets)]
}
