/** The ledger's file against the cluster's whole state: what is adopted, and what is missing. */
import t, { type Test } from 'tap'
import type { LedgerRow } from '../../../src/ledger/row.js'
import type { LedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import { leaseEntry } from '../../../src/leases/lease.js'
import type { TokenLease } from '../../../src/ledger/storage/row-columns.js'
import { compareRow } from '../../../src/ledger/storage/seen-record.js'
import { readPinRecord } from '../../../src/leases/pin-record.js'
import {
  cidOf,
  defaultOptions,
  directoryOf,
  leaseOf,
  openLedger,
  rowOf,
  tombstoneOf,
} from './samples.js'

/** As `/allocations` has it, with leases as an older release wrote them. */
function lineOf(cid: string, leases: readonly TokenLease[], metadata = {}): string {
  const entries = leases.map((lease) => leaseEntry(lease))
  return JSON.stringify({
    cid,
    type: 'pin',
    name: '',
    mode: 'recursive',
    replication_factor_min: -1,
    replication_factor_max: -1,
    shard_size: 0,
    expire_at: '0001-01-01T00:00:00Z',
    metadata: { ...metadata, ...(Object.fromEntries(entries) as Record<string, string>) },
    origins: null,
    timestamp: '2026-01-01T00:00:00Z',
  })
}

const untold = (holder: string): TokenLease => ({
  holder,
  sinceMs: 1_700_000_000_000,
  untilMs: Infinity,
})

const none = { missing: 0, unexpected: 0, waitMs: 360_000 }

const put = (storage: LedgerDisk, ...rows: LedgerRow[]): Promise<void> =>
  storage.commit(rows.map((row) => ({ kind: 'row', row })))

/** They were written by an earlier run, so the cluster has had time to show them. */
async function ofEarlierRun(t: Test, rows: readonly LedgerRow[]): Promise<LedgerDisk> {
  const directory = directoryOf(t)
  const { storage } = await openLedger(t, directory)
  for (const row of rows) t.equal(storage.nextSeq(), row.seq)
  await put(storage, ...rows)
  await storage.close()
  return (await openLedger(t, directory)).storage
}

async function withLedger(t: Test): Promise<LedgerDisk> {
  return (await openLedger(t, directoryOf(t))).storage
}

t.test('a new ledger adopts every lease of the state, and counts the other pins', async (t) => {
  const storage = await withLedger(t)
  t.equal(storage.contents.comparedMs, undefined)
  const comparison = await storage.compare(() => undefined)
  const held = Array.from({ length: 600 }, (_, index) => lineOf(cidOf(index), [untold('alpha')]))
  await comparison.see([...held, lineOf(cidOf(700), []), 'no JSON with "pinwarden.lease.'])
  await comparison.see([lineOf(cidOf(701), [untold('alpha'), untold('beta')], { a: 'b' })])
  t.same(await comparison.end(), {
    pins: 603,
    leases: 602,
    adopted: 601,
    missing: 0,
    unexpected: 0,
    undecided: none,
  })
  t.equal(storage.count('alpha'), 601)
  t.equal(storage.count('beta'), 1)
  t.equal((await storage.held('alpha', undefined, 1000)).length, 601)
  t.match(await storage.row(cidOf(701)), {
    seq: 0,
    options: [...defaultOptions, ['meta-a', 'b']],
    leases: [{ holder: 'alpha' }, { holder: 'beta' }],
  })
  t.same(await storage.newest(Infinity, 10), [], 'none of them was written by this gate')
  t.equal(await storage.row(cidOf(700)), undefined)
})

t.test('a pin that is owed but not in the state is missing, until it is seen', async (t) => {
  const rows = [1, 2, 3, 4].map((seq) => rowOf(cidOf(seq), seq, { leases: [untold('alpha')] }))
  const over = rowOf(cidOf(5), 5, { leases: [leaseOf('alpha', 5, Date.now() - 1)] })
  const storage = await ofEarlierRun(t, [...rows, over])
  const seen = [lineOf(cidOf(1), rows[0]?.leases ?? []), lineOf(cidOf(2), [])]
  const first = await storage.compare(() => undefined)
  await first.see(seen)
  t.same(await first.end(), {
    pins: 2,
    leases: 1,
    adopted: 0,
    missing: 3,
    unexpected: 0,
    undecided: none,
  })
  t.same((await storage.check()).reported, { missing: 3, unexpected: 0 })
  t.match(await storage.row(cidOf(3)), { ...rows[2], report: 'missing' })
  const second = await storage.compare(() => undefined)
  await second.see([...seen, lineOf(cidOf(3), rows[2]?.leases ?? [])])
  const told = { pins: 3, leases: 2, adopted: 0, missing: 0, unexpected: 0, undecided: none }
  t.same(await second.end(), told, 'told once')
  t.same((await storage.check()).reported, { missing: 2, unexpected: 0 })
  t.same(await storage.row(cidOf(3)), rows[2])
  await storage.close()
  const after = await openLedger(t, storage.directory ?? '')
  t.ok(after.storage.contents.comparedMs)
})

t.test('pins that were written since, are in doubt or queued stay unchanged', async (t) => {
  const rows = [1, 2, 3, 4].map((seq) => rowOf(cidOf(seq), seq))
  const storage = await ofEarlierRun(t, rows)
  const [old, doubted, queued, renewed] = rows as [LedgerRow, LedgerRow, LedgerRow, LedgerRow]
  const doubt = { cid: doubted.cid, reason: 'near-sweep', attempt: 0, dueMs: 0 } as const
  const entry = { ...entryFor(queued.cid), seq: storage.nextSeq() }
  await storage.commit([
    { kind: 'doubt', doubt },
    { kind: 'enqueue', entry },
  ])
  const inFlight = storage.nextSeq()
  const comparison = await storage.compare(() => undefined)
  await put(storage, { ...renewed, seq: inFlight }, rowOf(cidOf(5), storage.nextSeq()))
  await comparison.see([lineOf(doubted.cid, [untold('beta')]), lineOf(cidOf(5), [untold('beta')])])
  const undecided = { missing: 2, unexpected: 0 }
  t.match(await comparison.end(), { adopted: 0, missing: 1, undecided }, 'in doubt, or queued')
  t.match(await storage.row(old.cid), { report: 'missing' })
  t.same(await storage.row(doubted.cid), doubted)
  t.same(await storage.row(queued.cid), queued)
  t.same(await storage.row(renewed.cid), { ...renewed, seq: inFlight })
  t.notMatch(await storage.row(cidOf(5)), { leases: [{ holder: 'beta' }] })
})

t.test('a comparison says when doubts end that keep it from a decision', async (t) => {
  const storage = await ofEarlierRun(t, [tombstoneOf(cidOf(1), 1), tombstoneOf(cidOf(2), 2)])
  const dueMs = Date.now() + 50_000
  const doubt = { cid: cidOf(1), reason: 'unknown-outcome', attempt: 2, dueMs } as const
  await storage.commit([{ kind: 'doubt', doubt }])
  const comparison = await storage.compare(() => undefined)
  const back = [1, 2].map((seq) => lineOf(cidOf(seq), [leaseOf('alpha', seq - 1)]))
  await comparison.see([...back, lineOf(cidOf(3), [])])
  const { undecided, ...counts } = await comparison.end()
  t.match(counts, { missing: 0, unexpected: 1 }, 'the other one is in doubt')
  t.match(undecided, { missing: 0, unexpected: 1 })
  const leftMs = dueMs + 840_000 + 60_000 - Date.now()
  t.ok(undecided.waitMs >= leftMs && undecided.waitMs < leftMs + 60_000)
  t.same((await storage.check()).reported, { missing: 0, unexpected: 1 })
  await storage.close()
  const after = await openLedger(t, storage.directory ?? '')
  t.equal(after.storage.contents.comparedMs, 0, 'the next run compares soon')
})

t.test('a pin of the operator alone that the cluster lacks is over, not missing', async (t) => {
  const both = [untold('operator'), untold('alpha')]
  const rows = [[untold('operator')], both].map((leases, at) =>
    rowOf(cidOf(at), at + 1, { leases }),
  )
  const storage = await ofEarlierRun(t, rows)
  const comparison = await storage.compare(() => undefined)
  t.match(await comparison.end(), { missing: 1, undecided: none })
  t.same(await storage.row(cidOf(0)), { ...rows[0], leases: [] })
  t.match(await storage.row(cidOf(1)), { leases: both, report: 'missing' })
})

t.test('what this run wrote a moment ago is not missing, whatever the clock says', async (t) => {
  const storage = await withLedger(t)
  const row = rowOf(cidOf(1), storage.nextSeq(), { atMs: Date.now() - 7_200_000 })
  await put(storage, row)
  const comparison = await storage.compare(() => undefined)
  t.match(await comparison.end(), { missing: 0, undecided: { ...none, missing: 1 } })
  t.same(await storage.row(row.cid), row)
})

t.test('a write of this gate whose row was lost is adopted, and named', async (t) => {
  const storage = await withLedger(t)
  const lost: string[] = []
  const own = { ...untold('alpha'), token: `${storage.gateId}.${storage.nextSeq()}` }
  const comparison = await storage.compare((cid) => lost.push(cid))
  await comparison.see([
    lineOf(cidOf(1), [own]),
    lineOf(cidOf(2), [leaseOf('beta', 5)]),
    lineOf(cidOf(3), [untold('gamma')]),
  ])
  t.match(await comparison.end(), { adopted: 3 })
  t.same(lost, [cidOf(1)], 'and none of another gate')
})

t.test('permanently refused pins do not hide others', async (t) => {
  const storage = await withLedger(t)
  const entry = { ...entryFor(cidOf(1)), seq: storage.nextSeq(), rejection: 'no' }
  await storage.commit([{ kind: 'enqueue', entry }])
  const comparison = await storage.compare(() => undefined)
  await comparison.see([lineOf(cidOf(1), [untold('beta')])])
  t.match(await comparison.end(), { adopted: 1 })
})

const entryFor = (cid: string) => ({
  ...{ cid, holder: 'alpha', keyDigest: 'd', encoder: 'a', keyId: 'k', options: [] },
  ...{ untilMs: Infinity, requestId: 'r', atMs: 1 },
})

t.test('a state that was not seen to its end makes nothing missing', async (t) => {
  const storage = await withLedger(t)
  await put(storage, rowOf(cidOf(1), storage.nextSeq()))
  const comparison = await storage.compare(() => undefined)
  await t.rejects(
    storage.compare(() => undefined),
    { message: 'another comparison is running' },
  )
  await comparison.see([lineOf(cidOf(2), [untold('beta')])])
  await comparison.abandon()
  t.same((await storage.check()).reported, { missing: 0, unexpected: 0 })
  t.equal(storage.count('beta'), 1, 'what was adopted stays')
  await (await storage.compare(() => undefined)).abandon()
})

const gateId = 'abcd1234'
const now = 1_800_000_000_000
const cases: Readonly<
  Record<string, readonly [owed: TokenLease[], seen: TokenLease[], LedgerRow['report'], string[]]>
> = {
  'equal tokens agree': [[leaseOf('alpha', 5)], [leaseOf('alpha', 5)], undefined, ['abcd1234.5']],
  'an older token of this gate is no news': [
    [leaseOf('alpha', 5)],
    [leaseOf('alpha', 4)],
    'missing',
    ['abcd1234.5'],
  ],
  'a newer token of this gate is adopted': [
    [leaseOf('alpha', 5)],
    [leaseOf('alpha', 6)],
    undefined,
    ['abcd1234.6'],
  ],
  "another gate's lease of another holder is adopted": [
    [leaseOf('alpha', 5)],
    [leaseOf('alpha', 5), { ...leaseOf('beta', 1), token: 'zzzzzzzz.1' }],
    undefined,
    ['abcd1234.5', 'zzzzzzzz.1'],
  ],
  "another gate's lease of one holder never shortens what is owed": [
    [leaseOf('alpha', 5)],
    [{ ...leaseOf('alpha', 1, now + 1000), token: 'zzzzzzzz.1' }],
    'missing',
    ['abcd1234.5'],
  ],
  'a lease that was released and is there is unexpected': [
    [],
    [leaseOf('gone', 3)],
    'unexpected',
    [],
  ],
  'one that is older than the release as well': [[], [leaseOf('gone', 2)], 'unexpected', []],
  'a lease that is owed and is not there stays owed': [
    [leaseOf('alpha', 5)],
    [{ ...leaseOf('beta', 1), token: 'zzzzzzzz.1' }],
    'missing',
    ['abcd1234.5', 'zzzzzzzz.1'],
  ],
  'one that ran out is not missed': [
    [leaseOf('alpha', 5, now - 1)],
    [{ ...leaseOf('beta', 1), token: 'zzzzzzzz.1' }],
    undefined,
    ['zzzzzzzz.1'],
  ],
}

for (const [title, [owed, seen, report, tokens]] of Object.entries(cases))
  t.test(title, async (t) => {
    const released = [{ holder: 'gone', token: 'abcd1234.3', seq: 7 }]
    const row = rowOf(cidOf(1), 8, { leases: owed, released })
    const record = { ...readPinRecord(lineOf(cidOf(1), [])), leases: seen }
    const times = { startMs: now + 300_000, nowMs: now, recentAfter: Infinity }
    const comparing = { gateId, owes: 'all', ...times } as const
    const compared = compareRow(row, record, comparing).row ?? row
    t.equal(compared.report, report)
    t.same((compared.leases as TokenLease[]).map(({ token }) => token).sort(), tokens)
    t.equal(compared.seq, 8)
    t.equal(compareRow(compared, record, comparing).row, undefined, 'once more changes nothing')
  })
