/** A change of what the cluster does not have, or may lose again. */
import t from 'tap'
import type { PinRecord } from '../../src/leases/pin-record.js'
import { Ledger, type LedgerParts } from '../../src/ledger/ledger.js'
import type { Opening } from '../../src/ledger/opening.js'
import { OpenPins, type OpenPinsParts } from '../../src/ledger/open-pins.js'
import { Reconciler, type ReconcilerParts } from '../../src/ledger/reconciler.js'
import { RecentRows } from '../../src/ledger/recent-rows.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import { takeDownEntry } from '../../src/ledger/take-down.js'
import { LedgerFault, type LedgerOperation } from '../../src/ledger/storage/ledger-storage.js'
import { Deadline } from '../../src/time/deadline.js'

const cid = 'bafkqaaa'
const lease = { holder: 'a', sinceMs: 0, untilMs: Infinity, token: 'gate1234.1' }
const row: LedgerRow = {
  ...{ cid, seq: 2, atMs: 0, isDirect: false, options: [], leases: [lease], former: [] },
  ...{ expiresMs: Infinity, released: [] },
}

interface Around {
  readonly isDoubted?: boolean
  /** What this gate wrote lately. */
  readonly recent?: LedgerRow
  readonly owes?: 'all' | 'own'
  /** The cluster's record. */
  readonly read?: PinRecord
}

function ledgerOf(rows: readonly LedgerRow[], around: Around = {}) {
  const { isDoubted = false, read, owes = 'all', recent } = around
  const asked: string[] = []
  const recentRows = new RecentRows(() => 0)
  if (recent !== undefined) recentRows.wrote(recent, recent.atMs)
  const now = { read, nowMs: 1000, clusterMs: 1000, laterMs: 1000 }
  const parts = {
    storage: {
      gateId: 'gate1234',
      mayBeReported: rows.some(({ report }) => report === 'missing'),
      mayHaveRow: (of: string) => rows.some((each) => each.cid === of),
      row: (of: string) => {
        asked.push(of)
        return Promise.resolve(rows.find((each) => each.cid === of))
      },
    },
    records: { read: () => Promise.resolve(now) },
    recent: recentRows,
    owes,
    isDoubted: () => isDoubted,
    onDoubt: () => undefined,
  } as unknown as LedgerParts
  const look = () => new Ledger(parts).look(cid, new Deadline(1000, () => 0))
  return { look, asked }
}

t.test("a change of a pin that the cluster lost keeps the other holders' leases", async (t) => {
  const { look } = ledgerOf([row])
  t.match((await look()).record, { leases: [lease] })
})

t.test(
  'a change of a pin that waits for the operator leaves the other holders theirs',
  async (t) => {
    const missing = { ...row, report: 'missing' } as const
    for (const isDoubted of [false, true])
      t.match((await ledgerOf([missing], { isDoubted }).look()).record, { leases: [lease] })
  },
)

t.test(
  'a hand that pins over what is held takes no lease, but the pin stays its own',
  async (t) => {
    const byHand = { ...row, type: 'pin', leases: [], writtenMs: 0 }
    for (const report of [undefined, 'missing'] as const) {
      const { record } = await ledgerOf([{ ...row, report }], { read: byHand }).look()
      t.match(record, { leases: [{ holder: 'operator' }, lease] })
    }
    const released = { ...row, leases: [], report: 'unexpected' } as const
    t.same((await ledgerOf([released], { read: byHand }).look()).record, byHand)
  },
)

t.test('a change of a reported pin keeps a lease that the cluster lost by itself', async (t) => {
  const [mine, theirs] = [lease, { ...lease, holder: 'b', token: 'gate1234.2' }]
  const both = { ...row, leases: [mine, theirs], report: 'missing' } as const
  const read = { ...row, type: 'pin', leases: [mine], writtenMs: 0 }
  t.match((await ledgerOf([both], { read }).look()).record, { leases: [mine, theirs] })
})

t.test('nothing is read from the disk for a new pin', async (t) => {
  const { look, asked } = ledgerOf([])
  t.equal((await look()).record, undefined)
  t.same(asked, [])
})

/** What came of a check of a pin that the cluster lacks, or has as told. */
async function checked(seq: number, isCopy: boolean, { read, row: kept = row }: Checked = {}) {
  const now = { read, nowMs: 1000, clusterMs: 1000, laterMs: 1000 }
  const [logged, repairs]: [unknown[], string[]] = [[], []]
  const reconciler = new Reconciler({
    storage: {
      gateId: 'gate1234',
      contents: { isCopy, lastRow: 5 },
      row: () => Promise.resolve({ ...kept, seq }),
    },
    pins: {
      open: async (
        _cid: string,
        _deadline: Deadline,
        look: (opening: Opening) => Promise<object>,
      ) => ({
        ...(await look({ isCrowded: false, newToken: undefined })),
        isLocked: true,
        release: () => undefined,
      }),
    },
    records: { read: () => Promise.resolve(now), write: () => Promise.resolve() },
    recent: new RecentRows(() => 0),
    owes: 'all',
    ...{ timeoutMs: () => 1000, monotonic: () => 0 },
    log: (level: string, _fields: object, message: string) => logged.push([level, message]),
    onRepaired: (differed: string) => repairs.push(differed),
  } as unknown as ReconcilerParts)
  return { kind: (await reconciler.reconcile(cid)).kind, logged, repairs }
}

interface Checked {
  readonly read?: PinRecord
  readonly row?: LedgerRow
}

t.test('no repair comes of what a copy owes, or of what another cluster was owed', async (t) => {
  t.equal((await checked(5, true)).kind, 'agreed')
  t.equal((await checked(6, true)).kind, 'repaired', 'written since the copy was opened')
  t.equal((await checked(-1, false)).kind, 'agreed')
  t.equal((await checked(0, false)).kind, 'repaired')
})

t.test('the unpin of a take-down does not count as a repair', async (t) => {
  const released = [takeDownEntry({ untilMs: 900, atMs: 900, reason: 'by order' }, 2)]
  const down = { ...row, leases: [], released }
  const read = { ...row, type: 'pin', writtenMs: 500 }
  t.same(await checked(2, false, { read, row: down }), {
    kind: 'taken-down',
    logged: [['info', 'removed what an operator had released for good']],
    repairs: [],
  })
  t.match(await checked(2, false), { kind: 'repaired', repairs: ['missing'] })
})

/** What a change of a pin that is not there leaves on the disk. */
async function changed(wanted: 'pin' | 'unpin', isDoubted: boolean, isFull = false) {
  const [committed, noted]: [LedgerOperation[], LedgerOperation[]] = [[], []]
  let seq = 0
  const keep = (where: LedgerOperation[]) => (operations: readonly LedgerOperation[]) => {
    if (isFull && where === committed) return Promise.reject(new LedgerFault('the disk is full'))
    where.push(...operations)
    return Promise.resolve()
  }
  const pins = new OpenPins({
    storage: {
      gateId: 'gate1234',
      nextSeq: () => ++seq,
      commit: keep(committed),
      note: keep(noted),
    },
    recent: new RecentRows(() => 0),
    isDoubted: () => isDoubted,
    isAfterCrash: () => false,
    ...{ onMayReturn: () => undefined, onDoubt: () => undefined, onHeld: () => undefined },
    ...{ now: () => 1000, setTimer: () => () => undefined },
  } as unknown as OpenPinsParts)
  const times = { nowMs: 1000, clusterMs: 1000, laterMs: 1000 }
  const look = () => Promise.resolve({ read: undefined, record: undefined, ...times })
  const pin = await pins.open(cid, new Deadline(1000, () => 0), look)
  const leases = [{ ...lease, token: pin.token }]
  const record = { cid, isDirect: false, options: [], leases, expiresMs: Infinity }
  const written = { kind: 'written', writtenMs: 1000 } as const
  const kept =
    wanted === 'pin' ? pin.settle(record, written) : pin.settle('unpin', { kind: 'unpinned' })
  return { committed, noted, kept, isAwaited: kept !== undefined }
}

t.test('a pin in doubt is answered once the disk has it, others before', async (t) => {
  t.match(await changed('pin', true), { isAwaited: true, committed: [{ kind: 'row' }] })
  t.match(await changed('pin', false), { isAwaited: false, noted: [{ kind: 'row' }] })
})

t.test('a pin in doubt is not promised while the disk is not writable', async (t) => {
  const { kept } = await changed('pin', true, true)
  await t.rejects(async () => kept, LedgerFault)
})

t.test('an unpin that found nothing releases what may still land', async (t) => {
  const { committed } = await changed('unpin', true)
  t.match(committed, [{ kind: 'row', row: { cid, seq: 2, leases: [] } }], 'of a later place')
  t.match(await changed('unpin', false), { committed: [], noted: [] }, 'else there is no row')
})

t.test('a gate of several keeps its own lease over a later write that dropped it', async (t) => {
  const theirs = { ...lease, holder: 'b', token: 'other123.1' }
  const read = { ...row, type: 'pin', leases: [theirs], writtenMs: 5000 }
  const held = async (owes: 'all' | 'own', recent = row) => {
    const { record } = await ledgerOf([recent], { read, recent, owes }).look()
    return record?.leases.map(({ holder }) => holder).sort()
  }
  t.same(await held('own'), ['a', 'b'], 'the other gate had no lock, and did not see it')
  t.same(await held('all'), ['b'], 'without a store the other gate may have released it')
  const released = [{ holder: 'a', token: lease.token, seq: 2 }]
  t.same(await held('own', { ...row, leases: [], released }), ['b'])
})

t.test('a lease that another gate ended is too recent for comparisons to report it', async (t) => {
  const noted: LedgerOperation[] = []
  const pins = new OpenPins({
    storage: {
      gateId: 'gate1234',
      row: () => Promise.resolve(row),
      note: (operations: readonly LedgerOperation[]) => noted.push(...operations),
    },
    recent: new RecentRows(() => 0),
    ...{ now: () => 1000, setTimer: () => () => undefined },
  } as unknown as OpenPinsParts)
  const retract = (token: string) =>
    pins.retract(cid, { holder: 'a', token }, new Deadline(1000, () => 0))
  t.equal(await retract('gate1234.1'), 'ended')
  t.match(noted, [{ kind: 'row', row: { cid, leases: [], seq: 2, atMs: 1000 } }])
  t.equal(await retract('gate1234.0'), 'known')
  t.match(noted.at(-1), { row: { atMs: 0 } }, 'it ended nothing')
})
