/** What was written while a peer was down is in doubt when it is back, and when the peers merged. */
import t, { type Test } from 'tap'
import { PeerBack } from '../../src/ledger/peer-back.js'
import { LedgerFault } from '../../src/ledger/storage/ledger-storage.js'
import { openLedgerMemory } from '../../src/ledger/storage/ledger-disk.js'
import { clock } from '../support/clock.js'
import { cidOf, rowOf } from './storage/samples.js'

const startMs = 1e12
const minute = 60_000

/** @param agesMin how many minutes before the start each pin was written, the oldest first */
async function withWrites(t: Test, agesMin: readonly number[]) {
  const storage = await openLedgerMemory(() => undefined)
  t.teardown(() => storage.close())
  await storage.commit(
    agesMin.map((age, index) => ({
      kind: 'row',
      row: rowOf(cidOf(index), storage.nextSeq(), { atMs: startMs - age * minute }),
    })),
  )
  const time = clock()
  const state = { isReadable: true }
  const [rounds, explained] = [new Map<number, number[]>(), new Set<string>()]
  const peerBack = new PeerBack({
    storage: {
      newest: (...asked) =>
        state.isReadable ? storage.newest(...asked) : Promise.reject(new LedgerFault('hangs')),
    },
    onDoubt: (cid) => {
      const index = agesMin.findIndex((_, index) => cidOf(index) === cid)
      rounds.set(time.now(), [...(rounds.get(time.now()) ?? []), index])
    },
    explain: (cid) => explained.add(cid),
    log: () => undefined,
    now: () => startMs + time.now(),
    monotonic: time.monotonic,
    setTimer: time.setTimer,
  })
  t.teardown(() => {
    peerBack.close()
  })
  /** Lets that much time pass, with the reads that began by then. */
  const pass = async (ms: number): Promise<void> => {
    await time.turn(ms)
    for (let turn = 0; turn < 20; turn++) await storage.figures()
  }
  return { peerBack, pass, rounds, explained, state }
}

t.test('it is in doubt at once, and again a minute later, but nothing older', async (t) => {
  const { peerBack, pass, rounds, explained } = await withWrites(t, [60, 14, 1])
  peerBack.back(10 * minute)
  await pass(0)
  t.same([...rounds], [[0, [2, 1]]], 'since five minutes before it went down')
  t.same([...explained], [cidOf(2), cidOf(1)])
  await pass(minute)
  await pass(10 * minute)
  t.same([...rounds.keys()], [0, minute])
})

t.test('a peer that comes and goes costs a round a minute, and shortens none', async (t) => {
  const { peerBack, pass, rounds } = await withWrites(t, [30])
  peerBack.back(60 * minute)
  await pass(0)
  for (let turn = 0; turn < 30; turn++) {
    peerBack.back(1000)
    await pass(4000)
  }
  await pass(10 * minute)
  t.same(
    [...rounds.keys()],
    [0, 1, 2, 3].map((turn) => turn * minute),
  )
})

t.test('a ledger that cannot be read is asked again', async (t) => {
  const { peerBack, pass, rounds, state } = await withWrites(t, [1])
  state.isReadable = false
  peerBack.back(minute)
  await pass(25_000)
  t.equal(rounds.size, 0)
  state.isReadable = true
  await pass(10_000)
  t.equal(rounds.size, 1)
})
