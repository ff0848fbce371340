/**
 * Item 13: what it costs a healthy cluster's gate to be ready for one that is not. The peers are
 * one process, so that only the gate differs; and there are several gates of each sort, as what
 * Node's compiler makes of one is a few per cent dearer or cheaper than the next.
 */
import type { Bench } from '../bench.js'
import { getRequest, pinRequests } from '../load/requests.js'
import { median } from '../measure.js'
import { bodyBytes, idAnswer, pinAnswer } from '../upstream-answers.js'
import { costTable } from './cost-table.js'
import { type Cost, costs } from './load-cost.js'

const connections = 64
const targets = { 'one peer': 1.05 }

type Requests = (credential: string) => readonly Buffer[]

export async function severalPeers(bench: Bench): Promise<string> {
  const [ids, pins]: [Cost[][], Cost[][]] = [[], []]
  for (let start = 0; start < bench.sizes.starts; start++) {
    ids.push(await costsOf(bench, (credential) => [getRequest('/id', { credential })], idAnswer))
    pins.push(await costsOf(bench, (credential) => pinRequests({ credential }), pinAnswer))
  }
  const title = `13. GET /id of a healthy cluster, ${connections} kept connections`
  return (
    costTable(title, mediansOf(ids), targets) +
    costTable('    and POST /pins/{cid}', mediansOf(pins), targets)
  )
}

function costsOf(bench: Bench, requests: Requests, answer: Buffer): Promise<Cost[]> {
  const starts = [
    bench.gate({ peers: 3, onOutage: 'journal' }, 'three peers and a journal'),
    bench.gate({}, 'one peer'),
  ]
  return bench.with(starts, (programs) => {
    const subjects = programs.map(({ name, pid, port, credential }) => ({
      pid,
      load: {
        ...{ name, port, connections, status: 200, bytes: bodyBytes(answer) },
        requests: requests(credential),
      },
    }))
    return costs(bench, subjects)
  })
}

/** @param starts the costs of the same programs, each time they were started */
function mediansOf(starts: readonly (readonly Cost[])[]): Cost[] {
  const [first = []] = starts
  return first.map(({ name }, n) => {
    const own = starts.flatMap((costs) => costs[n] ?? [])
    return {
      name,
      cpu: median(own.map(({ cpu }) => cpu)),
      perSecond: median(own.map(({ perSecond }) => perSecond)),
    }
  })
}
