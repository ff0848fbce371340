/** The files of an older release, as that release wrote them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t, { type Test } from 'tap'
import type { LedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import { takeOver, type TakenOver } from '../../../src/ledger/storage/takeover.js'
import type { Logger } from '../../../src/log/logger.js'
import { cidOf, directoryOf, openLedger } from './samples.js'

const journalLine = (value: unknown): string => {
  const json = JSON.stringify(value)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

const entry = (seq: number, fields = {}) => ({
  ...{ seq, cid: cidOf(seq), atMs: 1000 + seq, encoder: 'alpha', keyId: 'k1' },
  ...{ options: [['name', 'video']], untilMs: null, requestId: `r${seq}`, ...fields },
})

const cluster = ['http://127.0.0.1:9094']

const recordText = (cid: string): string =>
  JSON.stringify({
    ...{ cid, type: 'pin', name: 'n', mode: 'recursive', shard_size: 0, origins: null },
    ...{ replication_factor_min: -1, replication_factor_max: -1 },
    expire_at: '2030-01-01T00:00:00Z',
    metadata: { 'pinwarden.lease.aaaaaaaaaaaa': '20260101T000000Z/20300101T000000Z' },
    timestamp: '2026-01-01T00:00:00.5Z',
  })

const write = (cid: string, text: string | null, isUnsure = false) =>
  `${JSON.stringify({ cid, atMs: 5000, text, isUnsure, writtenMs: text === null ? 1 : null })}\n`

function takeFrom(directory: string, storage: LedgerDisk, log = noLog): Promise<TakenOver> {
  return takeOver({
    storage,
    journalDirectory: directory,
    lastWritesDirectory: directory,
    cluster,
    keyOf: (encoder, keyId) =>
      encoder === 'alpha' && keyId === 'k1'
        ? { holder: 'aaaaaaaaaaaa', keyDigest: 'd'.repeat(64) }
        : undefined,
    log,
    now: () => 9000,
  })
}

const noLog: Logger = () => undefined

async function opened(t: Test, journal: string, writes: string) {
  const directory = directoryOf(t)
  writeFileSync(join(directory, 'journal'), journal)
  writeFileSync(join(directory, 'last-writes'), writes)
  return { directory, ...(await openLedger(t, join(directory, 'ledger'))) }
}

t.test('pins of the journal are imported into the queue once, and the file stays', async (t) => {
  const lines = [
    ...[entry(1), entry(2), entry(3, { keyId: 'gone' }), { done: 1 }].map(journalLine),
    'ffffffff {"done":2}\n',
    journalLine(entry(4, { untilMs: 2e12 })),
    journalLine(entry(5)).slice(0, -9),
  ].join('')
  const { directory, storage } = await opened(t, lines, '')
  t.equal(storage.contents.takenOver, undefined)
  const logged: unknown[] = []
  const { entries } = await takeFrom(directory, storage, (level, fields, message) => {
    logged.push([level, fields, message])
  })
  t.same(logged, [
    ['error', { damaged: 1 }, 'found damaged lines in the journal of an older release'],
    ['info', { rows: 0, entries: 3 }, 'took over the files of an older release'],
  ])
  t.match(entries, [
    { cid: cidOf(2), holder: 'aaaaaaaaaaaa', keyDigest: /^d{64}$/, untilMs: Infinity, atMs: 1002 },
    { cid: cidOf(3), holder: '', rejection: 'key-revoked' },
    { cid: cidOf(4), untilMs: 2e12, options: [['name', 'video']], requestId: 'r4' },
  ])
  t.equal(readFileSync(join(directory, 'journal'), 'utf8'), lines)
  await storage.close()
  const after = await openLedger(t, join(directory, 'ledger'))
  t.match(after.storage.contents.takenOver, /^\d+ \d+.*,\d+ \d+/)
  t.same(after.storage.contents.queue, entries)
  t.same(await takeFrom(directory, after.storage), { entries: [], rows: 0 })
})

t.test('the last writes are rows in their order, with leases that have no token', async (t) => {
  const header = `${JSON.stringify({ cluster })}\n`
  const writes = [
    ...[header, write(cidOf(1), recordText(cidOf(1))), write(cidOf(2), null)],
    ...[write(cidOf(3), recordText(cidOf(3)), true), write(cidOf(1), recordText(cidOf(1)))],
    ...['{"cid":', '\n', write(cidOf(4), 'no record'), '{"closed":true}\n'],
  ].join('')
  const { directory, storage } = await opened(t, journalLine(entry(1)), writes)
  const { rows, entries } = await takeFrom(directory, storage)
  t.equal(rows, 3)
  const newest = await storage.newest(Infinity, 10)
  t.same(
    newest.map(({ cid }) => cid),
    [cidOf(1), cidOf(3), cidOf(2)],
  )
  t.same(newest[0]?.leases, [
    { holder: 'aaaaaaaaaaaa', sinceMs: Date.UTC(2026, 0), untilMs: Date.UTC(2030, 0) },
  ])
  t.match(newest[2], { leases: [], released: [] })
  t.ok((entries[0]?.seq ?? 0) > (newest[0]?.seq ?? Infinity), 'what waits is written after them')
  await storage.close()
  const { contents } = (await openLedger(t, join(directory, 'ledger'))).storage
  t.same(contents.doubts, [{ cid: cidOf(3), reason: 'unknown-outcome', attempt: 0, dueMs: 9000 }])
})

t.test('writes to another cluster are left out', async (t) => {
  const writes = `{"cluster":["http://other"]}\n${write(cidOf(1), recordText(cidOf(1)))}`
  const { directory, storage } = await opened(t, '', writes)
  t.same(await takeFrom(directory, storage), { entries: [], rows: 0 })
})

t.test('a journal of 30,000 entries is taken over whole', async (t) => {
  const seqs = Array.from({ length: 30_000 }, (_, index) => index + 1)
  const { directory, storage } = await opened(
    t,
    seqs.map((seq) => journalLine(entry(seq))).join(''),
    '',
  )
  const since = performance.now()
  const { entries } = await takeFrom(directory, storage)
  t.comment(`${(performance.now() - since).toFixed()} ms`)
  t.equal(new Set(entries.map(({ seq }) => seq)).size, 30_000)
  t.equal((await storage.check()).queue, 30_000)
})

t.test('without such a file nothing is imported, and that is recorded', async (t) => {
  const directory = directoryOf(t)
  const { storage } = await openLedger(t, directory)
  t.same(await takeFrom(join(directory, 'nowhere'), storage), { entries: [], rows: 0 })
  await storage.close()
  t.equal((await openLedger(t, directory)).storage.contents.takenOver, ',')
})

t.test("after a downgrade, the older release's files are imported again", async (t) => {
  const { directory, storage } = await opened(t, journalLine(entry(1)), '')
  t.equal((await takeFrom(directory, storage)).entries.length, 1)
  await storage.close()
  writeFileSync(join(directory, 'journal'), journalLine(entry(1)) + journalLine(entry(7)))
  const after = await openLedger(t, join(directory, 'ledger'))
  const { entries } = await takeFrom(directory, after.storage)
  t.same(
    entries.map(({ requestId }) => requestId),
    ['r1', 'r7'],
  )
})

t.test('an unreadable journal fails the start, as it contains promises', async (t) => {
  const directory = directoryOf(t)
  const { storage } = await openLedger(t, join(directory, 'journal'))
  await t.rejects(takeFrom(directory, storage), {
    message: /journal of an older release cannot be taken over: .*EISDIR/,
  })
})
