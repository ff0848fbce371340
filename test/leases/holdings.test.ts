/** Who holds which pins: the count, what changes meanwhile, and what memory it takes. */
import t from 'tap'
import { Holdings } from '../../src/leases/holdings.js'
import { type PinRecord, readPinRecord } from '../../src/leases/pin-record.js'
import { SortedTexts } from '../../src/leases/sorted-texts.js'

const line = (cid: string, ...holders: string[]): string =>
  JSON.stringify({
    cid,
    type: 'pin',
    name: '',
    mode: 'recursive',
    replication_factor_min: -1,
    replication_factor_max: -1,
    shard_size: 0,
    expire_at: '0001-01-01T00:00:00Z',
    metadata: Object.fromEntries(
      holders.map((holder) => [`pinwarden.lease.${holder}`, '20260101T000000Z/..']),
    ),
    origins: [],
    timestamp: '2026-01-01T00:00:00Z',
  })

const record = (cid: string, ...holders: string[]): PinRecord =>
  readPinRecord(line(cid, ...holders))

function holdingsOf(read: (take: (line: string) => void) => Promise<void> | void) {
  const errors: unknown[] = []
  const time = { now: 0 }
  let counts = 0
  const holdings = new Holdings({
    readState: async (take) => {
      counts++
      await read((text) => {
        take(Buffer.from(text))
      })
    },
    onCounted: () => undefined,
    onError: (error) => errors.push(error),
    now: () => time.now,
  })
  return { holdings, errors, time, counts: () => counts }
}

t.test('what changes while it is counted is right whatever the stream shows', async (t) => {
  const state = holdingsOf((take) => {
    take(line('a', 'x', 'y'))
    // Shown as it was, after it was changed; and the other way round.
    state.holdings.note('b', record('b', 'x'), () => undefined)
    take(line('b', 'x'))
    state.holdings.note('c', undefined, () => record('c', 'x'))
    take(line('c', 'x'))
    take(line('d'))
    state.holdings.note('e', undefined, () => record('e', 'y'))
  })
  t.equal(state.holdings.since, undefined)
  t.equal(await state.holdings.count(), true)
  t.same(state.holdings.page('x', undefined, 10), ['a', 'c'])
  t.same(state.holdings.page('y', undefined, 10), ['a', 'e'])
  t.equal(state.holdings.size('nobody'), 0)
})

t.test('leases that have run out are not counted', async (t) => {
  const state = holdingsOf((take) => {
    take(line('a', 'x').replace('/..', '/20260102T000000Z'))
    take(line('b', 'x'))
  })
  state.time.now = Date.UTC(2026, 0, 3)
  await state.holdings.count()
  t.same(state.holdings.page('x', undefined, 10), ['b'])
})

t.test('a count that fails leaves the one before, and is tried again after a while', async (t) => {
  let isBroken = true
  const state = holdingsOf((take) => {
    take(line('a', 'x'))
    if (isBroken) throw new Error('cut')
  })
  state.time.now = 1e12
  state.holdings.ensure()
  t.equal(await state.holdings.count(), false)
  t.equal(state.errors.length, 1)
  state.holdings.ensure()
  t.equal(state.counts(), 1)
  isBroken = false
  state.time.now += 10_000
  state.holdings.ensure()
  t.equal(await state.holdings.count(), true)
  t.equal(state.holdings.size('x'), 1)
  state.time.now += 3_599_999
  state.holdings.ensure()
  t.equal(state.counts(), 2, 'it is good for an hour')
  state.time.now += 1
  state.holdings.ensure()
  t.equal(state.counts(), 3)
  await state.holdings.count()
})

t.test('texts are a set, in order, in pages', async (t) => {
  const texts = new SortedTexts()
  for (const text of ['d', 'b', 'a']) texts.push(text)
  for (const text of ['c', 'c', 'a']) texts.add(text)
  texts.delete('b')
  texts.delete('z')
  t.equal(texts.size, 3)
  t.same(texts.page(undefined, 2), ['a', 'c'])
  t.same(texts.page('a', 5), ['c', 'd'])
  t.same(texts.page('b', 5), ['c', 'd'], 'also after one that is gone')
  t.same(texts.page('d', 5), [])
})
