/** A crash takes the newest writes; whatever else differs was changed by a hand. */
import t from 'tap'
import { decideWalk, type Look } from '../../src/ledger/decide-walk.js'

type Sign = '.' | 'm' | 'u' | '-'

const differs = { '.': undefined, '-': undefined, m: 'missing', u: 'unexpected' } as const

/** The newest first: `.` agrees, `m` is missing, `u` is back, `-` says nothing either way. */
const looksOf = (signs: string, ageMs = 0): Look[] =>
  signs.split('').map((sign, index) => ({
    row: {
      ...{ cid: String(index), seq: signs.length - index, atMs: 1e12 - index * ageMs },
      ...{ isDirect: false, options: [], leases: [], former: [], expiresMs: 0, released: [] },
    },
    differs: differs[sign as Sign],
    isNeutral: sign === '-',
  }))

function decided(signs: string, isRebooted = false, ageMs = 0) {
  const { repair, report } = decideWalk(looksOf(signs, ageMs), isRebooted)
  return [repair.length, report.length]
}

t.test('a missing suffix is repaired, and so are some pins that reappeared in it', async (t) => {
  t.same(decided('m'.repeat(25) + '.'.repeat(100)), [25, 0])
  t.same(decided('mmumu' + '.'.repeat(100)), [5, 0])
  t.same(decided('.'.repeat(100)), [0, 0])
  t.same(decided(''), [0, 0])
})

t.test('concurrent writes may agree within the run', async (t) => {
  t.same(decided('..m.mm' + '.'.repeat(20) + 'm' + '.'.repeat(100)), [4, 0])
})

t.test('pins that are missing further back were removed outside the gate', async (t) => {
  t.same(decided('mm' + '.'.repeat(40) + 'm' + '.'.repeat(100)), [2, 1])
  t.same(decided('.'.repeat(40) + 'u' + '.'.repeat(100)), [0, 1])
})

t.test('recently made and unpinned pins say nothing, and do not split a run', async (t) => {
  t.same(decided('mm' + '-'.repeat(60) + 'mm' + '.'.repeat(100)), [4, 0])
})

t.test('a restored backup brings back more than a crash, and none of it is unpinned', async (t) => {
  t.same(decided('u'.repeat(200) + '.'.repeat(100)), [0, 200])
  t.same(decided('u'.repeat(50) + '.'.repeat(100)), [50, 0])
})

t.test('a cluster that lost everything is left to the operator', async (t) => {
  t.same(decided('m'.repeat(1001)), [0, 1001])
  t.same(decided('m'.repeat(1000) + '.'.repeat(100)), [1000, 0])
})

t.test('a power cut with more writes than a call takes arguments is decided on', async (t) => {
  t.same(decided('.'.repeat(300_000), true), [0, 0])
})

t.test('after a power cut all of the last ten minutes is repaired, however much', async (t) => {
  // One write a second: 600 of them.
  t.same(decided('m'.repeat(2000), true, 1000), [600, 1400])
  t.same(decided('m' + '.'.repeat(40) + 'm' + '.'.repeat(100), true, 1000), [2, 0])
  t.same(decided('.'.repeat(40) + 'u' + '.'.repeat(100), true, 1000), [0, 1], 'nothing is unpinned')
})
