/** The queue of accepted pins, by itself. */
import t from 'tap'
import { Queue } from '../../src/ledger/queue.js'
import { Places } from '../../src/ledger/quota-places.js'
import { openLedgerMemory } from '../../src/ledger/storage/ledger-disk.js'

const wanted = { holder: 'a', keyDigest: 'd', encoder: 'alpha', keyId: 'k1', options: [] }

async function queueAt(clock: { nowMs: number }, hasOthers = false) {
  const storage = await openLedgerMemory(() => undefined)
  t.teardown(() => storage.close())
  const now = () => clock.nowMs
  return new Queue({ storage, places: new Places(now), entriesMax: 10, hasOthers, now })
}

t.test('a pin that expired while it waited is in no answer, and is still dropped', async (t) => {
  const clock = { nowMs: 1000 }
  const queue = await queueAt(clock)
  await queue.accept({ ...wanted, cid: 'one', untilMs: 2000, requestId: 'r1' })
  await queue.accept({ ...wanted, cid: 'two', untilMs: Infinity, requestId: 'r2' })
  t.same([...queue.leads().keys()], ['one', 'two'])
  clock.nowMs = 2000
  t.same([...queue.leads().keys()], ['two'])
  t.same([queue.leadOf('one'), queue.live('one')], [undefined, []])
  t.same(
    [...queue.heads()].map(({ cid }) => cid),
    ['one', 'two'],
  )
})

t.test('a repeated request is later only where other gates may have ended the first', async (t) => {
  const clock = { nowMs: 1000 }
  const request = { ...wanted, cid: 'one', untilMs: Infinity, requestId: 'r1' }
  for (const hasOthers of [false, true]) {
    const queue = await queueAt(clock, hasOthers)
    const first = await queue.accept(request)
    const second = await queue.accept(request)
    t.equal(second.seq > first.seq, hasOthers)
    t.same(queue.entries(), [second])
  }
})
