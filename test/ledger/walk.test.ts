/** Which writes are verified after a crash, and what a run that is killed leaves to the next one. */
import t from 'tap'
import type { LedgerRow } from '../../src/ledger/row.js'
import type { LedgerContents, PendingWalks } from '../../src/ledger/storage/ledger-storage.js'
import { Walk } from '../../src/ledger/walk.js'
import { clock } from '../support/clock.js'

const rowOf = (seq: number): LedgerRow => ({
  ...{ cid: `c${seq}`, seq, atMs: 0, isDirect: false, options: [], former: [], released: [] },
  ...{ leases: [{ holder: 'a', sinceMs: 0, untilMs: Infinity }], expiresMs: Infinity },
})

/** A run over so many rows, of which the cluster lacks some. */
function runOver(
  rows: number,
  lost: ReadonlySet<number>,
  walks?: PendingWalks,
  doubted: readonly string[] = [],
) {
  const { now, setTimer, turn } = clock()
  const repaired: string[] = []
  const kept: PendingWalks[] = []
  const reported: string[] = []
  const available = { is: true }
  const contents = { isRebooted: false, wasClosed: false, isCopy: false, walks }
  const walk = new Walk({
    storage: {
      contents: contents as LedgerContents,
      newest: (before, count) => {
        const last = Math.min(before - 1, rows)
        const seqs = Array.from({ length: Math.min(count, last) }, (_, index) => last - index)
        return Promise.resolve(seqs.map(rowOf))
      },
      note: (operations) => {
        for (const one of operations) if (one.kind === 'walks') kept.push(one.walks)
        return Promise.resolve()
      },
    },
    reconciler: {
      compare: ({ seq }) =>
        Promise.resolve({
          differs: lost.has(seq) ? 'missing' : undefined,
          isThere: true,
          isTakenDown: false,
        }),
      reconcile: (cid) => {
        repaired.push(cid)
        return Promise.resolve({ kind: 'repaired', differed: 'missing' })
      },
      report: ({ cid }) => {
        reported.push(cid)
        return Promise.resolve()
      },
    },
    lastRow: () => rows,
    merging: { gateId: 'aaaaaaaa', owes: 'all' },
    isAvailable: () => available.is,
    isDoubted: (cid) => doubted.includes(cid),
    log: () => undefined,
    onReported: () => undefined,
    spend: undefined,
    onUnreadable: () => undefined,
    ...{ now, monotonic: now, setTimer },
  })
  return { walk, repaired, reported, kept, turn, available }
}

const lost = new Set([39, 40])

t.test('a run that is killed hands on what it had still to verify', async (t) => {
  const first = runOver(40, lost)
  first.available.is = false
  first.walk.soon()
  await first.turn(2000)
  t.same(first.kept, [{ places: [40], isRebooted: false }])

  // Behind what was written since, which agrees, no walk would look.
  const next = runOver(400, lost, first.kept.at(-1))
  t.equal(next.walk.isOpen, true)
  next.walk.soon()
  t.same(next.kept, [{ places: [40, 400], isRebooted: false }])
  await next.turn(2000)
  t.same(next.repaired, ['c39', 'c40'])
  t.same(next.kept.at(-1), { places: [], isRebooted: false })
  t.equal(next.walk.isOpen, false)
})

t.test('a power cut is remembered until what it may have taken was seen', async (t) => {
  const run = runOver(10, new Set(), { places: [10], isRebooted: true })
  run.available.is = false
  run.walk.soon()
  await run.turn(2000)
  t.same(run.kept, [], 'the same place is no news')
  run.available.is = true
  await run.turn(10_000)
  t.same(run.kept, [{ places: [], isRebooted: false }])
})

t.test('what is in doubt was changed by no hand, as far as is known', async (t) => {
  const run = runOver(100, new Set([10, 20]), undefined, ['c10'])
  run.walk.soon()
  await run.turn(2000)
  t.same(run.repaired, [])
  t.same(run.reported, ['c20'])
})
