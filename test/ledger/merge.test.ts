/** The record as it should be: by tokens alone, whatever clocks and reads say. */
import t from 'tap'
import { changeSeqOf, isJoined, mergeRow, withoutEnded } from '../../src/ledger/merge.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import { takeDownEntry, takeDownOf } from '../../src/ledger/take-down.js'
import type { Lease } from '../../src/leases/lease.js'
import type { PinRecord } from '../../src/leases/pin-record.js'

const gateId = 'gate1234'
const now = Date.UTC(2026, 0, 1)
const hour = 3_600_000

const lease = (holder: string, token?: string, untilMs = Infinity): Lease => ({
  holder,
  sinceMs: 0,
  untilMs,
  token,
})

const own = (seq: number) => `${gateId}.${seq}`
const other = (seq: number) => `other567.${seq}`

const rowOf = (leases: readonly Lease[], more: Partial<LedgerRow> = {}): LedgerRow => ({
  cid: 'cid',
  seq: 100,
  atMs: now,
  isDirect: false,
  options: [['name', 'row']],
  leases,
  former: [],
  expiresMs: Math.max(-Infinity, ...leases.map(({ untilMs }) => untilMs)),
  released: [],
  ...more,
})

const readOf = (leases: readonly Lease[], more: Partial<PinRecord> = {}): PinRecord => ({
  cid: 'cid',
  type: 'pin',
  isDirect: false,
  options: [['name', 'read']],
  leases,
  former: [],
  expiresMs: leases.length === 0 ? Infinity : Math.max(...leases.map(({ untilMs }) => untilMs)),
  writtenMs: now,
  ...more,
})

const merge = (row: LedgerRow, read?: PinRecord) =>
  mergeRow(row, read, { gateId, owes: 'all' }, now)
const held = ({ record }: ReturnType<typeof merge>) =>
  record?.leases.map(({ holder, token, untilMs }) => [holder, token, untilMs])

t.test("a record with the row's tokens agrees, whatever its name and times", async (t) => {
  const read = readOf([lease('a', own(1)), lease('b', own(2))], { writtenMs: 0 })
  const merged = merge(rowOf([lease('a', own(1)), lease('b', own(2))]), read)
  t.equal(merged.differs, undefined)
  t.equal(merged.record, read)
})

t.test('a missing record is owed as it was written', async (t) => {
  const merged = merge(rowOf([lease('a', own(1), now + hour)]))
  t.match(merged, {
    differs: 'missing',
    record: { options: [['name', 'row']], expiresMs: now + hour, type: 'pin' },
  })
})

t.test('a second holder whose write was lost is put back, in the same second too', async (t) => {
  const merged = merge(
    rowOf([lease('a', own(1)), lease('b', own(2))]),
    readOf([lease('a', own(1))]),
  )
  t.equal(merged.differs, 'missing')
  t.same(held(merged), [
    ['a', own(1), Infinity],
    ['b', own(2), Infinity],
  ])
})

t.test('an older write of this gate never comes back over a newer one', async (t) => {
  const late = readOf([lease('a', own(1), now + hour)])
  const merged = merge(rowOf([lease('a', own(5))]), late)
  t.equal(merged.differs, 'missing')
  t.same(held(merged), [['a', own(5), Infinity]])
})

t.test(
  'a newer write of this gate than its disk knows is believed, also a shorter one',
  async (t) => {
    const merged = merge(rowOf([lease('a', own(1))]), readOf([lease('a', own(5), now + hour)]))
    t.equal(merged.differs, undefined)
    t.same(held(merged), [['a', own(5), now + hour]])
  },
)

t.test('the numbers of another gate are an order among its own', async (t) => {
  const row = rowOf([lease('a', other(9), now + hour)])
  t.same(held(merge(row, readOf([lease('a', other(8))]))), [['a', other(9), now + hour]])
  t.same(held(merge(row, readOf([lease('a', other(10))]))), [['a', other(10), Infinity]])
})

t.test('a token that the gate does not know is adopted, and makes no lease shorter', async (t) => {
  const longer = merge(rowOf([lease('a', own(1), now + hour)]), readOf([lease('a', other(9))]))
  t.equal(longer.differs, undefined)
  t.same(held(longer), [['a', other(9), Infinity]])
  const shorter = merge(rowOf([lease('a', own(1))]), readOf([lease('a', other(9), now + hour)]))
  t.equal(shorter.differs, 'missing')
  t.same(held(shorter), [['a', own(1), Infinity]])
  const stranger = merge(rowOf([lease('a', own(1))]), readOf([lease('b', other(9))]))
  t.same(held(stranger), [
    ['b', other(9), Infinity],
    ['a', own(1), Infinity],
  ])
  t.match(stranger.record, { options: [['name', 'read']] }, 'the other holder keeps its options')
})

t.test(
  'a lease is later than one of another gate that it replaced, and all before it',
  async (t) => {
    const renewed = { ...lease('a', own(5)), replaces: [other(9)] }
    for (const token of [other(8), other(9)]) {
      const merged = merge(rowOf([renewed]), readOf([lease('a', token)]))
      t.match(merged, { differs: 'missing', record: { leases: [{ token: own(5) }] } }, token)
    }
    t.equal(merge(rowOf([renewed]), readOf([lease('a', other(10))])).differs, undefined)
    const elsewhere = { ...lease('a', other(9), now + hour), replaces: [own(5)] }
    t.same(held(merge(rowOf([lease('a', own(5))]), readOf([elsewhere]))), [
      ['a', other(9), now + hour],
    ])
    const over = readOf([lease('b', own(6)), { ...elsewhere, untilMs: now }])
    const row = rowOf([lease('a', own(5)), lease('b', own(6))])
    t.match(merge(row, over), { record: over, differs: undefined }, 'also once it has ended')
  },
)

t.test(
  'a lease is removed as released: by a token of its gate, or as older than the row',
  async (t) => {
    const row = rowOf([], { seq: 7, released: [{ holder: 'a', token: other(3), seq: 7 }] })
    for (const [holder, token] of [
      ['a', other(3)],
      ['a', other(1)],
      ['a', own(6)],
      ['b', own(6)],
    ] as const) {
      const merged = merge(row, readOf([lease(holder, token)]))
      t.match(merged, { record: undefined, differs: 'unexpected' }, token)
    }
    for (const [holder, token] of [
      ['a', own(8)],
      ['a', other(4)],
      ['a', undefined],
      ['b', other(3)],
    ] as const) {
      const merged = merge(row, readOf([lease(holder, token)]))
      t.equal(merged.differs, undefined, `${holder} ${token ?? 'without a token'}`)
      t.equal(merged.record?.leases.length, 1)
    }
  },
)

t.test('a lease that came back, and that a change has kept, is owed again', async (t) => {
  const released = [{ holder: 'a', token: own(6), seq: 7 }]
  const row = rowOf([lease('a', own(3)), lease('b', own(9))], { seq: 9, released })
  const read = readOf(row.leases)
  t.same(merge(row, read), { record: read, differs: undefined })
  t.match(merge(row), { differs: 'missing' })
  t.same(held(merge(row)), [
    ['a', own(3), Infinity],
    ['b', own(9), Infinity],
  ])
})

t.test('a lost release is repeated, and leaves the others', async (t) => {
  const row = rowOf([lease('b', own(2))], { released: [{ holder: 'a', token: own(1), seq: 3 }] })
  const merged = merge(row, readOf([lease('a', own(1)), lease('b', own(2))]))
  t.equal(merged.differs, 'unexpected')
  t.same(held(merged), [['b', own(2), Infinity]])
})

t.test('a pin in its retention period is kept so again', async (t) => {
  const row = rowOf([], {
    former: [lease('a', own(1))],
    expiresMs: now + hour,
    released: [{ holder: 'a', token: own(1), seq: 2 }],
  })
  const merged = merge(row, readOf([lease('a', own(1))]))
  t.match(merged, {
    differs: 'unexpected',
    record: { leases: [], former: [{ holder: 'a' }], expiresMs: now + hour },
  })
  t.equal(merge(row).differs, undefined, 'nothing is owed of it once it is gone')
})

t.test('what was pinned again after a take-down is like any other pin', async (t) => {
  const gone = (seq: number) => ({ holder: 'a', token: own(seq), seq: seq + 1 })
  const down = takeDownEntry({ untilMs: now - hour, atMs: now, reason: 'an order' }, 5)
  const row = rowOf([], { released: [gone(3), down, gone(8)], expiresMs: now + hour })
  const kept = readOf([], { former: [lease('a', own(8))], expiresMs: now + hour })
  t.match(merge(row, kept), { record: kept, differs: undefined })
  const late = readOf([lease('a', own(3))])
  t.match(merge(row, late), { record: undefined, isTakenDown: true }, 'of before it')
  const again = readOf([lease('a', own(8))], { writtenMs: now - hour })
  const returned = merge({ ...row, former: [] }, again)
  t.match(returned, { record: undefined, differs: 'unexpected' })
  t.not(returned.isTakenDown, true, 'of a backup that was made after it: the bounds apply')
})

t.test('an expired lease is not owed', async (t) => {
  t.equal(merge(rowOf([lease('a', own(1), now)])).differs, undefined)
})

t.test('a lease that the expired one replaced is not back', async (t) => {
  const row = rowOf([{ ...lease('a', own(5), now), replaces: [other(9)] }])
  for (const token of [own(4), other(9)])
    t.match(merge(row, readOf([lease('a', token)])), { record: undefined, differs: 'unexpected' })
  for (const token of [own(105), other(10), undefined])
    t.equal(merge(row, readOf([lease('a', token)])).differs, undefined, `${token}`)
})

t.test(
  'leases of two gates of which neither is later are joined, with no new change',
  async (t) => {
    const row = rowOf([{ ...lease('a', own(5), now + hour), replaces: ['gate5555.3'] }])
    const merging = { gateId, owes: 'own', newToken: own(9) } as const
    const all = { ...merging, owes: 'all' } as const
    const { record } = mergeRow(row, readOf([lease('a', other(1), now + 2 * hour)]), merging, now)
    const [joined = lease('a')] = record?.leases ?? []
    t.match(joined, { token: own(9), untilMs: now + 2 * hour })
    t.same(joined.replaces, [other(1), 'gate5555.3', own(5)])
    t.ok(isJoined(joined, gateId))
    t.equal(changeSeqOf(joined, gateId), 5)
    t.notOk(isJoined(lease('a', own(5)), gateId))
    t.equal(changeSeqOf(lease('a', own(5)), gateId), 5)
    t.equal(changeSeqOf(lease('a', other(5)), gateId), undefined)
    const theirs = lease('a', 'gate5555.3')
    const foreign = mergeRow(rowOf([theirs]), readOf([lease('a', other(1))]), all, now)
    t.equal(changeSeqOf(foreign.record?.leases[0] ?? theirs, gateId), 0, 'of no change here')
    const again = mergeRow(rowOf([joined]), readOf([lease('a', other(3))]), merging, now)
    t.equal(changeSeqOf(again.record?.leases[0] ?? joined, gateId), 5, 'however often')
  },
)

t.test('an expiry before the end of the latest lease is lost time', async (t) => {
  const read = readOf([lease('a', own(1))], { expiresMs: now + hour })
  t.match(merge(rowOf([lease('a', own(1))]), read), {
    differs: 'missing',
    record: { expiresMs: Infinity },
  })
})

t.test("an operator's own pin stays the operator's, in addition to the lease", async (t) => {
  const merged = merge(rowOf([lease('a', own(1), now + hour)]), readOf([]))
  t.equal(merged.differs, 'missing')
  t.same(held(merged), [
    ['operator', undefined, Infinity],
    ['a', own(1), now + hour],
  ])
})

t.test(
  'a pin that an operator has to decide on, or of another type, stays as the cluster has it',
  async (t) => {
    const reported = rowOf([lease('a', own(1))], { report: 'missing' })
    t.match(merge(reported), { record: undefined, differs: undefined })
    const shard = readOf([], { type: 'shard-pin' })
    t.match(merge(rowOf([lease('a', own(1))]), shard), { record: shard, differs: undefined })
  },
)

t.test('a later lease is not dropped for one that may have been released elsewhere', async (t) => {
  const late = { ...lease('a', own(5), now + hour), sinceMs: 5000 }
  const merged = merge(rowOf([late]), readOf([lease('a', other(1))]))
  t.same(held(merged), [['a', own(5), Infinity]], 'and none becomes shorter')
})

t.test("another gate's take-down leaves what that gate pinned since, however soon", async (t) => {
  const token = other(5)
  const down = takeDownEntry({ untilMs: now, atMs: now, token, reason: 'an order' }, 7)
  const row = rowOf([], { released: [down] })
  const [before, since] = [lease('a', other(4)), lease('b', other(6))]
  t.match(merge(row, readOf([before])), { record: undefined, isTakenDown: true })
  t.same(held(merge(row, readOf([before, since]))), [['b', other(6), Infinity]])
  const renewed = { ...lease('b', 'third123.1'), replaces: [other(6)] }
  t.same(held(merge(row, readOf([before, renewed]))), [['b', 'third123.1', Infinity]])
  const late = readOf([before], { writtenMs: now + hour })
  t.equal(merge(row, late).record, undefined, 'a late write is of before, whatever its time')
})

t.test('a take-down stays, however many releases come after it', async (t) => {
  const down = takeDownEntry({ untilMs: now, atMs: now, reason: 'an order' }, 5)
  let row = rowOf([], { released: [down] })
  for (let seq = 10; seq < 110; seq++)
    row = withoutEnded(row, { holder: `h${seq}`, token: own(seq), seq }, gateId)
  t.equal(row.released.length, 64)
  t.same(takeDownOf(row)?.reason, 'an order')
})

t.test('a later release takes the place of those that it includes', async (t) => {
  const down = takeDownEntry({ untilMs: now, atMs: now, reason: 'an order' }, 5)
  const before = { holder: 'a', token: own(4), seq: 4 }
  const elsewhere = { holder: 'a', token: other(1), seq: 6 }
  let row = rowOf([], { released: [before, down, elsewhere] })
  for (let seq = 10; seq < 110; seq++)
    row = withoutEnded(row, { holder: 'a', token: own(seq), seq }, gateId)
  const last = { holder: 'a', token: own(109), seq: 109 }
  t.same(row.released, [before, down, elsewhere, last], 'but not those before a take-down')
  t.same(withoutEnded(row, { ...last, token: own(110), seq: 0 }, gateId).released.slice(3), [
    last,
    { holder: 'a', token: own(110), seq: 0 },
  ])
})

t.test("the operator's hold of before a take-down goes, also beside a later lease", async (t) => {
  const down = takeDownEntry({ untilMs: now - hour, atMs: now - hour, reason: 'an order' }, 5)
  const row = rowOf([lease('a', own(11))], { released: [down] })
  const hold = (sinceMs: number) => ({ holder: 'operator', sinceMs, untilMs: Infinity })
  const read = (sinceMs: number) => readOf([hold(sinceMs), lease('a', own(11))])
  const merged = merge(row, read(now - 2 * hour))
  t.equal(merged.differs, 'unexpected')
  t.same(held(merged), [['a', own(11), Infinity]])
  t.equal(merge(row, read(now)).differs, undefined, 'a later one stays')
})

t.test('a renewal after a take-down, lost with its row by a crash, keeps the lease', async (t) => {
  // For a minute, late writes of before count as of before, whatever their time.
  const down = takeDownEntry({ untilMs: now + 60_000, atMs: now, reason: 'an order' }, 5)
  const row = rowOf([lease('a', own(11)), lease('b', own(12))], { released: [down] })
  const read = readOf([lease('a', own(11)), lease('b', own(101))])
  const merged = merge(row, read)
  t.same(held(merged), [
    ['a', own(11), Infinity],
    ['b', own(101), Infinity],
  ])
  const before = merge(rowOf([], { released: [down] }), readOf([lease('c', own(4))]))
  t.equal(before.record, undefined, 'and what is of before goes')
})
