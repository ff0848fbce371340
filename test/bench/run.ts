/**
 * `npm run bench`: what the gate costs, beside other programs in the same place, measured in the
 * same run. A target that is missed is told; only what does not work is a failure.
 */
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
import { machine, missing } from './machine.js'
import { wishesOf } from './sizes.js'
import { Upstream } from './upstream-process.js'
import { Workshop } from './workshop.js'

/** Something hangs, if it takes longer. */
const longestMs = 20 * 60_000

const items: readonly ((bench: Bench) => Promise<string>)[] = [
  ...[pins, ids, latency, newConnections, wrongKey, manyEncoders],
  ...[listingByLine, listingInBlocks, crowd, stalled, start, leases, severalPeers, store],
]

const print = (text: string): boolean => process.stdout.write(text)

try {
  const startMs = performance.now()
  const wishes = wishesOf(process.argv.slice(2))
  setTimeout(() => {
    print('\nstill not over: given up\n')
    process.exit(1)
  }, longestMs).unref()
  print(missing())
  const workshop = new Workshop()
  const bench = new Bench(workshop, await Upstream.start(workshop), wishes.sizes)
  for (const [n, item] of items.entries()) if (wishes.wants(n + 1)) print(await item(bench))
  print(machine())
  const minutes = (performance.now() - startMs) / 60_000
  print(
    `${minutes.toFixed(1)} minutes${wishes.isQuick ? ', --quick: sizes too small to judge' : ''}\n`,
  )
  process.exit(0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
}
