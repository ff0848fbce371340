/** Which writes are verified after a crash, and what a run that is killed leaves to the next one. */
import t from 'tap'
import type { LedgerRow } from '../../src/ledger/row.js'
import type { LedgerContents, PendingWalks } from '../../src/ledger/storage/ledger-storage.js'
import { Walk } from '../../src/ledger/walk.js'
import { clock } from '../support/clock.js'

const rowOf = (seq: number, holder = 'a'): LedgerRow => ({
  ...{ cid: `c${seq}`, seq, atMs: 0, isDirect: false, options: [], former: [], released: [] },
  ...{ leases: [{ holder, sinceMs: 0, untilMs: Infinity }], expiresMs: Infinity },
})

/** A run over so many rows, of which the cluster lacks some. */
function runOver(
  rows: number,
  lost: ReadonlySet<number>,
  walks?: PendingWalks,
  doubted: readonly string[] = [],
  changed: readonly string[] = [],
  ofHand?: number,
  agreed: readonly string[] = [],
) {
  const { now, setTimer, turn } = clock()
  const repaired: string[] = []
  const logged: object[] = []
  const kept: PendingWalks[] = []
  const reported: string[] = []
  const counted: number[] = []
  const available = { is: true }
  const compared: number[] = []
  const last = { row: rows }
  const contents = { isRebooted: false, wasClosed: false, isCopy: false, walks }
  const walk = new Walk({
    storage: {
      contents: contents as LedgerContents,
      newest: (before, count) => {
        const first = Math.min(before - 1, last.row)
        const seqs = Array.from({ length: Math.min(count, first) }, (_, index) => first - index)
        return Promise.resolve(seqs.map((seq) => rowOf(seq, seq === ofHand ? 'operator' : 'a')))
      },
      note: (operations) => {
        for (const one of operations) if (one.kind === 'walks') kept.push(one.walks)
        return Promise.resolve()
      },
    },
    reconciler: {
      compare: ({ seq }) => {
        compared.push(seq)
        const differs = lost.has(seq) ? 'missing' : undefined
        return Promise.resolve({ differs, isThere: true, isTakenDown: false })
      },
      reconcile: (cid) => {
        if (agreed.includes(cid)) return Promise.resolve({ kind: 'agreed' })
        repaired.push(cid)
        return Promise.resolve({ kind: 'repaired', differed: 'missing' })
      },
      report: ({ cid }) => {
        if (!changed.includes(cid)) reported.push(cid)
        return Promise.resolve(!changed.includes(cid))
      },
    },
    lastRow: () => last.row,
    merging: { gateId: 'aaaaaaaa', owes: 'all' },
    isAvailable: () => available.is,
    isDoubted: (cid) => doubted.includes(cid),
    log: (_level, fields) => void logged.push(fields),
    onReported: (missing) => counted.push(missing),
    spend: undefined,
    onUnreadable: () => undefined,
    ...{ now, monotonic: now, setTimer },
  })
  return { walk, repaired, reported, counted, kept, turn, available, compared, last, logged }
}

const lost = new Set([39, 40])

t.test('after a kill the next run continues the verification', async (t) => {
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

t.test('a pin in doubt does not count as changed outside the gate', async (t) => {
  const run = runOver(100, new Set([10, 20]), undefined, ['c10'])
  run.walk.soon()
  await run.turn(2000)
  t.same(run.repaired, [])
  t.same(run.reported, ['c20'])
})

t.test('a hand that unpins what a hand pinned is nothing to decide on', async (t) => {
  const run = runOver(100, new Set([10, 20]), undefined, [], [], 10)
  run.walk.soon()
  await run.turn(2000)
  t.same(run.reported, ['c20'])
})

t.test('a pin that a client changes meanwhile does not count as changed outside', async (t) => {
  for (const [changed, counted] of [
    [['c10'], [1]],
    [['c10', 'c20'], []],
  ] as const) {
    const run = runOver(100, new Set([10, 20]), undefined, [], changed)
    run.walk.soon()
    await run.turn(2000)
    t.same(run.counted, counted)
  }
})

t.test('hang-ups of a cluster that closes each connection cost ever fewer walks', async (t) => {
  const { walk, compared, kept, last, turn } = runOver(400, new Set())
  const hangUps = async (seconds: number) => {
    for (let n = 0; n < seconds; n++) {
      last.row++
      walk.soon(true)
      await turn(1000)
    }
    return compared.splice(0).length
  }
  walk.soon(true)
  t.equal(walk.isOpen, true, 'the first may be a crash')
  await turn(1000)
  t.equal(compared.splice(0).length, 128)
  t.equal(walk.isOpen, false)
  const first = await hangUps(60)
  // A read for each row, however many places lie among them.
  t.ok(first <= 2 * (128 + 64), `${first} in a minute`)
  t.same([walk.isPending, walk.isOpen], [true, false], 'what waits for it goes on')
  const hour = await hangUps(3600)
  t.ok(hour < 14 * (128 + 64 * 5), `${hour} in an hour`)
  walk.soon()
  t.equal(walk.isOpen, true, 'an endpoint that went down is another matter')
  await turn(1000)
  t.same(kept.at(-1), { places: [], isRebooted: false })
})

t.test('a walk counts as repaired what it wrote, not what agreed by then', async (t) => {
  const lost = new Set([38, 39, 40])
  const { walk, turn, repaired, logged } = runOver(40, lost, undefined, [], [], undefined, ['c39'])
  walk.soon()
  await turn(1000)
  t.same(repaired, ['c38', 'c40'])
  t.match(logged, [{ repaired: 2 }])
})
