/** When the ledger is compared with the cluster's whole state. */
import t from 'tap'
import { Holdings, type HoldingsParts } from '../../src/ledger/holdings.js'
import { openLedger, type LedgerOpening } from '../../src/ledger/open-ledger.js'
import { openLedgerMemory } from '../../src/ledger/storage/ledger-disk.js'
import { clock } from '../support/clock.js'

const [hourMs, dayMs] = [3_600_000, 86_400_000]

/** @param left for each comparison: recent rows that the cluster lacks */
function comparing(left: readonly number[]) {
  const { now, setTimer, turn } = clock()
  const walk = { isOpen: false }
  const atMs: number[] = []
  const end = () => {
    const missing = left[atMs.push(now()) - 1] ?? 0
    const none = { missing: 0, unexpected: 0 }
    const undecided = { ...none, missing, waitMs: 360_000 }
    return Promise.resolve({ pins: 0, leases: 0, adopted: 0, ...none, undecided })
  }
  const holdings = new Holdings({
    storage: {
      contents: { comparedMs: undefined },
      compare: () => Promise.resolve({ see: () => Promise.resolve(), end }),
    },
    cluster: { readState: () => Promise.resolve(), isAvailable: () => true },
    isWalking: () => walk.isOpen,
    hearAll: () => Promise.resolve(true),
    intervalMs: dayMs,
    log: () => undefined,
    ...{ now, monotonic: now, setTimer },
  } as unknown as HoldingsParts)
  holdings.start(0)
  return { atMs, turn, holdings, walk }
}

t.test('what is too recent for a comparison is decided by a second one', async (t) => {
  const { atMs, turn } = comparing([3])
  await turn(dayMs)
  t.same(atMs, [0, 360_000])
  await turn(360_000)
  t.same(atMs, [0, 360_000, dayMs + 360_000])
})

t.test('what a comparison for an operator leaves open is decided by a second one', async (t) => {
  const { atMs, turn, holdings } = comparing([0, 2])
  await turn(1000)
  t.equal(await holdings.refresh(), true)
  await turn(359_999)
  t.match(holdings.undecided, { missing: 2 })
  await turn(1)
  t.same(atMs, [0, 1000, 361_000])
  t.match(holdings.undecided, { missing: 0 })
})

t.test('a cluster that always lags is read twice a day, not every few minutes', async (t) => {
  const { atMs, turn } = comparing(Array<number>(9).fill(1))
  await turn(2 * dayMs)
  t.equal(atMs.length, 4)
})

t.test('comparisons that fail for an hour are late, until one ends well', async (t) => {
  const { atMs, turn, holdings, walk } = comparing([])
  walk.isOpen = true
  await turn(hourMs)
  t.equal(holdings.isLate, false)
  await turn(20_000)
  t.equal(holdings.isLate, true)
  walk.isOpen = false
  await turn(20_000)
  t.equal(holdings.isLate, false)
  t.equal(atMs.length, 1)
})

t.test('a comparison begins within a second after it can', async (t) => {
  const { atMs, turn, walk } = comparing([])
  walk.isOpen = true
  await turn(5500)
  walk.isOpen = false
  await turn(1000)
  t.same(atMs, [6000])
})

/**
 * A gate without quotas after a clean shutdown.
 * @param comparedMs when an earlier run compared, before or after this start
 * @param back when the cluster came back, with one gate or several
 * @returns when this one compared
 */
async function comparedBy(
  comparedMs: number,
  untilMs: number,
  back?: { readonly atMs: number; readonly gates: number },
): Promise<readonly number[]> {
  const storage = await openLedgerMemory(() => undefined)
  const { now, setTimer, turn } = clock()
  const cluster = { urls: ['http://one:9094'], peers: ['A'] }
  const contents = { ...storage.contents, isIncomplete: false, comparedMs, cluster }
  const atMs: number[] = []
  const ledger = openLedger({
    storage: Object.create(storage, { contents: { value: contents } }) as typeof storage,
    cluster: {
      urls: () => cluster.urls,
      isAvailable: () => true,
      onDisconnect: (call: () => void) => back && setTimer(back.atMs, call),
      readState: () => {
        atMs.push(now())
        return Promise.resolve()
      },
    } as unknown as LedgerOpening['cluster'],
    gateLocks: back && back.gates > 1 ? unused : undefined,
    timeoutMs: () => 1000,
    entriesMax: 1,
    log: () => undefined,
    ...{ now, monotonic: now, setTimer },
  })
  await turn(untilMs)
  await ledger.close()
  await storage.close()
  return atMs
}

/** Locks of several gates, which no comparison takes. */
const unused = {
  whenDown: () => undefined,
  whenLost: () => undefined,
  close: () => undefined,
} as unknown as LedgerOpening['gateLocks']

t.test('several gates repair for a minute before one compares', async (t) => {
  const back = { atMs: 29_000, gates: 1 }
  t.same(await comparedBy(-3 * dayMs, 120_000, back), [30_000], 'a gate alone has repaired before')
  const [first] = await comparedBy(-3 * dayMs, 120_000, { ...back, gates: 2 })
  t.equal(first, 89_000)
})

t.test('a gate that was down compares soon after a calm start, unasked', async (t) => {
  t.same(await comparedBy(-3 * dayMs, hourMs), [30_000])
  t.same(await comparedBy(3 * dayMs, hourMs), [30_000], 'also if the clock was wrong then')
})

t.test('a start soon after the last comparison waits for the next one', async (t) => {
  t.same(await comparedBy(-hourMs, dayMs - hourMs - 1), [])
  t.same(await comparedBy(-hourMs, dayMs), [dayMs - hourMs])
})
