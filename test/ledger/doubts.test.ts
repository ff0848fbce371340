/** A CID in doubt is looked at until the last look has agreed; what was not seen ends nothing. */
import t from 'tap'
import { doubtDelays } from '../../src/ledger/doubt.js'
import { Doubts } from '../../src/ledger/doubts.js'
import type { Repair } from '../../src/ledger/reconciler.js'
import type { LedgerOperation } from '../../src/ledger/storage/ledger-storage.js'
import { clock } from '../support/clock.js'

const agreed: Repair = { kind: 'agreed' }
const repaired: Repair = { kind: 'repaired', differed: 'missing' }

function doubtsOf(answers: readonly (Repair | Error)[] = [], left: readonly object[] = []) {
  const time = clock()
  const looks: number[] = []
  const noted: LedgerOperation[] = []
  const queue = [...answers]
  const state = { isAvailable: true }
  const doubts = new Doubts({
    storage: {
      contents: { doubts: left } as never,
      note: (operations) => {
        noted.push(...operations)
        return Promise.resolve()
      },
    },
    reconcile: () => {
      looks.push(time.now())
      const answer = queue.shift() ?? agreed
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
    onLooked: () => undefined,
    onTooMany: () => undefined,
    log: () => undefined,
    isAvailable: () => state.isAvailable,
    now: () => 1e12 + time.now(),
    monotonic: () => time.now(),
    setTimer: time.setTimer,
  })
  t.teardown(() => {
    doubts.close()
  })
  return { doubts, time, looks, noted, state }
}

t.test('it is checked after each delay, and ends with the last check', async (t) => {
  const { doubts, time, looks, noted } = doubtsOf()
  doubts.add('cid', 'near-sweep')
  t.equal(doubts.has('cid'), true)
  t.match(noted, [{ kind: 'doubt', doubt: { attempt: 0, dueMs: 1e12 + 5000 } }])
  await time.turn(3_600_000)
  t.same(looks, doubtDelays['near-sweep'])
  t.equal(doubts.has('cid'), false)
  t.match(noted.at(-1), { kind: 'settle', cid: 'cid', reason: 'near-sweep' })
})

t.test('the last check is repeated until it agrees', async (t) => {
  const { doubts, time, looks } = doubtsOf([agreed, agreed, agreed, repaired])
  doubts.add('cid', 'lock-lost')
  await time.turn(3_600_000)
  t.same(looks, [200, 2000, 10_000, 40_000, 45_000])
  t.equal(doubts.size, 0)
})

t.test('a failed check does not count', async (t) => {
  const { doubts, time, looks } = doubtsOf([new Error('a timeout'), agreed])
  doubts.add('cid', 'not-found')
  await time.turn(3_600_000)
  const [first = 0, ...others] = doubtDelays['not-found']
  t.same(looks, [first, ...[first, ...others].map((ms) => ms + 5000)])
})

t.test('while the cluster is down no check runs, and no doubt ends', async (t) => {
  const { doubts, time, looks, state } = doubtsOf()
  state.isAvailable = false
  doubts.add('cid', 'lock-lost')
  await time.turn(3_600_000)
  t.same(looks, [])
  t.equal(doubts.size, 1)
  t.equal(doubts.oldestMs, 3_600_000)
  state.isAvailable = true
  await time.turn(3_600_000)
  t.equal(doubts.size, 0)
})

t.test('a repeated doubt starts over; another reason ends separately', async (t) => {
  const { doubts, time, looks } = doubtsOf()
  doubts.add('cid', 'lock-lost')
  await time.turn(5000)
  doubts.add('cid', 'lock-lost')
  doubts.add('cid', 'not-found')
  await time.turn(60_000)
  t.equal(doubts.has('cid'), true, 'for the other reason')
  t.same(
    looks.filter((ms) => ms > 5000 && ms <= 45_000),
    [5200, 7000, 15_000, 45_000],
  )
  await time.turn(3_600_000)
  t.equal(doubts.has('cid'), false)
})

t.test('doubts of an earlier run are due immediately, and continue where they were', async (t) => {
  const left = { cid: 'cid', reason: 'near-sweep', attempt: 3, dueMs: 2e12 }
  const { doubts, time, looks } = doubtsOf([], [left])
  doubts.start()
  await time.turn(3_600_000)
  t.same(looks, [0, 360_000, 900_000], 'the look at the start takes the place of none')
  t.equal(doubts.size, 0)
})

t.test('the delays ascend, and outlast what they are for', async (t) => {
  for (const [reason, delays] of Object.entries(doubtDelays))
    t.same(
      [...delays].sort((one, other) => one - other),
      delays,
      reason,
    )
  const [sweepMs, sweepItselfMs] = [300_000, 300_000]
  t.ok((doubtDelays['near-sweep'].at(-1) ?? 0) > sweepMs + sweepItselfMs)
  t.ok((doubtDelays['lock-lost'].at(-1) ?? 0) > 35_000, 'as long as a lock lives')
  t.ok((doubtDelays['unknown-outcome'].at(-1) ?? 0) >= 900_000, 'as long as a peer hangs')
})
