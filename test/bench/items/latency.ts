/** Item 3: how much later an answer comes than from the upstream itself; a pin asks it twice. */
import type { Bench } from '../bench.js'
import { run } from '../load/load.js'
import { getRequests, pinRequests, type Requests } from '../load/requests.js'
import { byTurns, median } from '../measure.js'
import { judged, judgedHeader, micros, type Section, section } from '../report.js'

const targets: Readonly<Record<string, number>> = { 'nginx apr1': 1 }

export async function latency(bench: Bench): Promise<Section[]> {
  return [
    await added(bench, 'GET /id', ({ credential }) => getRequests('/id', [{ credential }])),
    await added(bench, 'POST /pins/{cid}', pinRequests),
  ]
}

async function added(
  bench: Bench,
  what: string,
  requestsOf: (asking: { readonly credential: string }) => Requests,
): Promise<Section> {
  const { sizes, upstream } = bench
  const starts = [
    bench.gate(),
    ...bench.nginx('apr1'),
    ...bench.nginx('ssha'),
    ...bench.caddy(),
    bench.plain(),
    bench.floor(),
  ]
  return bench.with(starts, async (programs) => {
    const direct = { name: 'the upstream itself', port: upstream.port, credential: 'a:b' }
    const asked = [direct, ...programs].map(({ name, port, credential }) => ({
      ...{ name, port, connections: 1, status: 200 },
      requests: requestsOf({ credential }),
    }))
    for (const load of asked) await run({ ...load, answersMax: sizes.warmUpAnswers / 2 })
    const all = await byTurns(asked, sizes.rounds, async (load) =>
      median((await run({ ...load, answersMax: sizes.latencyRequests })).latenciesMs),
    )
    const [directMs = [], ...othersMs] = all
    // Against what the upstream took in the same round.
    const added = othersMs.map((ms) => median(ms.map((each, n) => each - (directMs[n] ?? NaN))))
    const [ours = NaN] = added
    const rows = programs.map(({ name }, n) => [
      name,
      micros(median(othersMs[n] ?? []) / 1000),
      micros((added[n] ?? NaN) / 1000),
      ...judged(n === 0 ? undefined : ours / (added[n] ?? NaN), targets[name]),
    ])
    const first = [direct.name, micros(median(directMs) / 1000), '', ...judged(undefined, 0)]
    const header = ['program', 'p50', 'added', ...judgedHeader('added ours/its')]
    return section(`3. Latency of ${what}, 1 connection`, header, [first, ...rows])
  })
}
