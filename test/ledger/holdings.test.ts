/** When the ledger is compared with the cluster's whole state. */
import t from 'tap'
import { Holdings, type HoldingsParts } from '../../src/ledger/holdings.js'
import { clock } from '../support/clock.js'

const dayMs = 86_400_000

/** @param unseen for each comparison: recent rows that the cluster lacks */
function comparing(unseen: readonly number[]) {
  const { now, setTimer, turn } = clock()
  const atMs: number[] = []
  const end = () => {
    const count = unseen[atMs.push(now()) - 1] ?? 0
    return Promise.resolve({ pins: 0, leases: 0, adopted: 0, missing: 0, unseen: count })
  }
  const holdings = new Holdings({
    storage: {
      contents: { comparedMs: undefined },
      compare: () => Promise.resolve({ see: () => Promise.resolve(), end }),
    },
    cluster: { readState: () => Promise.resolve() },
    isWalking: () => false,
    hearAll: () => Promise.resolve(true),
    intervalMs: dayMs,
    log: () => undefined,
    ...{ now, monotonic: now, setTimer },
  } as unknown as HoldingsParts)
  holdings.ensure()
  return { atMs, turn }
}

t.test('what is too recent for a comparison is decided by a second one', async (t) => {
  const { atMs, turn } = comparing([3])
  await turn(dayMs)
  t.same(atMs, [0, 360_000])
  await turn(360_000)
  t.same(atMs, [0, 360_000, dayMs + 360_000])
})

t.test('a cluster that always lags is read twice a day, not every few minutes', async (t) => {
  const { atMs, turn } = comparing(Array<number>(9).fill(1))
  await turn(2 * dayMs)
  t.equal(atMs.length, 4)
})
