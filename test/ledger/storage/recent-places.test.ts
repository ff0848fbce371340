/** Which rows were written recently, by their places. */
import t from 'tap'
import { lagMs, RecentPlaces } from '../../../src/ledger/storage/recent-places.js'

t.test('rows of earlier runs are old, and those of the last minutes recent', async (t) => {
  let nowMs = 1e6
  const places = new RecentPlaces(7, () => nowMs)
  t.equal(places.before, 7)
  places.wrote(8)
  nowMs += lagMs / 2
  places.wrote(10)
  places.wrote(9)
  nowMs += lagMs / 2 - 1
  t.equal(places.before, 7)
  nowMs += 1
  places.wrote(11)
  t.equal(places.before, 7, 'the mark of the first row covers some seconds')
  nowMs += lagMs / 2
  t.equal(places.before, 8)
  nowMs += lagMs / 2
  t.equal(places.before, 10)
  nowMs += lagMs / 2
  t.equal(places.before, 11)
})

t.test('a row without any after it becomes old', async (t) => {
  let nowMs = 0
  const places = new RecentPlaces(0, () => nowMs)
  places.wrote(1)
  nowMs += lagMs
  t.equal(places.before, 0, 'not a moment too early')
  nowMs += 10_000
  t.equal(places.before, 1)
})

t.test('a later row makes those before it recent for no longer', async (t) => {
  let nowMs = 20_000
  const places = new RecentPlaces(0, () => nowMs)
  for (let place = 1; place <= 100; place++) places.wrote(place)
  nowMs += lagMs - 1
  places.wrote(101)
  t.equal(places.before, 0)
  nowMs += 10_001
  t.equal(places.before, 100)
})

t.test('no row counts as old too early, and none as recent for long', async (t) => {
  let nowMs = 0
  const places = new RecentPlaces(0, () => nowMs)
  const writtenMs: number[] = [0]
  for (let place = 1; place <= 2000; place++) {
    nowMs += (place * 7919) % 4001
    places.wrote(place)
    writtenMs.push(nowMs)
    nowMs += (place * 104_729) % 1009
    const { before } = places
    const oldest = writtenMs[before + 1] ?? nowMs
    const newest = writtenMs[before] ?? 0
    if (newest > nowMs - lagMs && before > 0) t.fail(`${before} is too young`)
    if (oldest < nowMs - lagMs - 20_000) t.fail(`${before + 1} is old`)
  }
  t.ok(places.before > 1000)
})
