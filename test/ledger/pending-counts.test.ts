import t from 'tap'
import { PendingCounts } from '../../src/ledger/pending-counts.js'

const holder = 'abcdefghijkl'

function unfinished(now = () => 0) {
  return new PendingCounts({
    isUnwritten: () => false,
    readPending: () => Promise.resolve(),
    now,
  })
}

void t.test('pins that were accepted since the last answer are counted', async (t) => {
  const counts = unfinished()
  t.equal(await counts.of(holder), 0)
  counts.accept(holder, 'one')
  counts.accept(holder, 'two')
  t.equal(await counts.of(holder), 2)
})

void t.test('accepted pins take no memory while no quota asks for their number', (t) => {
  const counts = unfinished()
  const { heapUsed } = process.memoryUsage()
  for (let n = 0; n < 3_000_000; n++) counts.accept(holder, `cid${n}`)
  const grown = process.memoryUsage().heapUsed - heapUsed
  t.ok(grown < 100e6, `it grew by ${Math.round(grown / 1e6)} MB`)
  t.end()
})
