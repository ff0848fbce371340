/**
 * `npm run bench`: what the gate costs, beside other programs in the same place, measured in the
 * same run. A missed target is reported; only what does not work is a failure.
 */
import { ablated } from './ablate.js'
import { Bench } from './bench.js'
import { crowd } from './items/crowd.js'
import { latency } from './items/latency.js'
import { leases } from './items/leases.js'
import { listingByLine, listingInBlocks } from './items/listings.js'
import { manyEncoders } from './items/many-encoders.js'
import { newConnections } from './items/new-connections.js'
import { ids, pins } from './items/small-requests.js'
import { severalPeers } from './items/several-peers.js'
import { stalled } from './items/stalled.js'
import { start } from './items/start.js'
import { store } from './items/store.js'
import { wrongKey } from './items/wrong-key.js'
import { leaveFirstCore } from './cores.js'
import { machine, missing } from './machine.js'
import { fixed, plainly, printed, type Section } from './report.js'
import { optionsOf } from './sizes.js'
import { Upstream } from './upstream-process.js'
import { Sandbox } from './sandbox.js'

/** Something hangs, if it takes longer. */
const longestMs = 20 * 60_000

const everything: readonly ((bench: Bench) => Promise<Section[]>)[] = [
  ...[pins, ids, latency, newConnections, wrongKey, manyEncoders],
  ...[listingByLine, listingInBlocks, crowd, stalled, start, leases, severalPeers, store],
]

const print = (text: string): boolean => process.stdout.write(text)

try {
  const startMs = performance.now()
  const options = optionsOf(process.argv.slice(2))
  const { sizes, isQuick, isJson } = options
  setTimeout(() => {
    process.stderr.write('\nstill not over: given up\n')
    process.exit(1)
  }, longestMs).unref()
  process.stderr.write(missing())
  leaveFirstCore()
  const sandbox = new Sandbox()
  const bench = new Bench(sandbox, await Upstream.start(sandbox), sizes)
  const sections: Section[] = []
  const { ablate } = options
  const items = ablate === undefined ? everything : [() => ablated(bench, ablate)]
  for (const [n, item] of items.entries()) {
    if (ablate === undefined && !options.wants(n + 1)) continue
    const found = await item(bench)
    sections.push(...found)
    if (!isJson) print(found.map(printed).join(''))
  }
  const minutes = fixed((performance.now() - startMs) / 60_000, 1)
  const judgement = isQuick ? ', --quick: sizes too small to judge' : ''
  if (isJson) {
    const summary = { machine: machine(), isQuick, minutes: minutes.value }
    print(`${JSON.stringify({ ...summary, sections: sections.map(plainly) }, undefined, 2)}\n`)
  } else print(`\n${[...machine(), `${minutes.text} minutes${judgement}`].join('\n')}\n`)
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
