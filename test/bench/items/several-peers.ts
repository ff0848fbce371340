/**
 * Item 13: what it costs a healthy cluster's gate to be ready for one that is not. The peers are
 * one process, so that only the gate differs; and there are several gates of each sort, as what
 * Node's compiler makes of one is a few per cent dearer or cheaper than the next.
 */
import type { Bench } from '../bench.js'
import { getRequests, pinRequests, type Requests } from '../load/requests.js'
import { median } from '../measure.js'
import type { Section } from '../report.js'
import { bodyBytes, idAnswer, pinBytes } from '../upstream-answers.js'
import { costTable } from './cost-table.js'
import { type Cost, costs } from './load-cost.js'

const connections = 64
const targets = { 'one peer': 1.05 }

type RequestsOf = (credential: string) => Requests

export async function severalPeers(bench: Bench): Promise<Section[]> {
  const [ids, pins]: [Cost[][], Cost[][]] = [[], []]
  for (let start = 0; start < bench.sizes.starts; start++) {
    ids.push(
      await costsOf(
        bench,
        (credential) => getRequests('/id', [{ credential }]),
        bodyBytes(idAnswer),
      ),
    )
    pins.push(await costsOf(bench, (credential) => pinRequests({ credential }), pinBytes.shown))
  }
  const title = `13. GET /id of a healthy cluster, ${connections} kept connections`
  return [
    costTable(title, together(ids), targets),
    costTable('13. POST /pins/{cid}, the same', together(pins), targets),
  ]
}

function costsOf(bench: Bench, requests: RequestsOf, bytes: number): Promise<Cost[]> {
  const starts = [
    bench.gate({ peers: 3, onOutage: 'journal' }, 'three peers and a journal'),
    bench.gate({}, 'one peer'),
  ]
  return bench.with(starts, (programs) => {
    const subjects = programs.map(({ name, pid, port, credential }) => ({
      pid,
      load: {
        ...{ name, port, connections, status: 200, bytes },
        requests: requests(credential),
      },
    }))
    return costs(bench, subjects)
  })
}

/** @param starts the costs of the same programs, each time they were started */
function together(starts: readonly (readonly Cost[])[]): Cost[] {
  const [first = []] = starts
  return first.map(({ name }, n) => {
    const own = starts.flatMap((costs) => costs[n] ?? [])
    const middle = (field: 'perSecond' | 'p50' | 'p99' | 'before' | 'peak') =>
      median(own.map((cost) => cost[field]))
    return {
      name,
      cpus: own.flatMap(({ cpus }) => cpus),
      perSecond: middle('perSecond'),
      p50: middle('p50'),
      p99: middle('p99'),
      before: middle('before'),
      peak: middle('peak'),
    }
  })
}
