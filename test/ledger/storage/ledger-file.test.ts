/** The ledger's file: rows, counts, ageing, and a file that is not as it should be. */
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { backUp } from '../../../src/ledger/storage/back-up.js'
import { LedgerFile } from '../../../src/ledger/storage/ledger-file.js'
import { knownVersion, migrate, versionOf } from '../../../src/ledger/storage/ledger-schema.js'
import type { LedgerOperation } from '../../../src/ledger/storage/ledger-storage.js'
import { cidOf, directoryOf, entryOf, leaseOf, rowOf, tombstoneOf } from './samples.js'

const dayMs = 86_400_000

function open(t: Test, path: string, now?: () => number): LedgerFile {
  const file = new LedgerFile({ path, ...(now && { now }) })
  t.teardown(() => {
    if (file.database.isOpen) file.close()
  })
  return file
}

const inMemory = (t: Test, now?: () => number) => open(t, ':memory:', now)

const put = (row: ReturnType<typeof rowOf>): LedgerOperation => ({ kind: 'row', row })

t.test('a copy gives out no number that writes since the backup may have used', async (t) => {
  const file = inMemory(t, () => 1_900_000_000_000)
  t.equal(file.reserve(1000), 1)
  t.equal(file.reserve(1000), 1001)
  file.markCopy()
  t.equal(file.reserve(1000), 1_900_000_000_000)
  file.trust()
  t.equal(file.reserve(1000), 1_900_000_001_000)
})

t.test('a row is read as it was written, whatever is in it', async (t) => {
  const file = inMemory(t)
  const rows = [
    rowOf(cidOf(1), 1),
    rowOf('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPAAA', 2, {
      isDirect: true,
      options: [
        ['name', 'a "name" / with ; all'],
        ['replication-min', '1'],
      ],
      leases: [
        leaseOf('alpha', 1, 1_900_000_000_000),
        { holder: 'beta', sinceMs: 0, untilMs: Infinity },
      ],
      expiresMs: 1_900_000_000_000,
    }),
    rowOf('zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA', 3, { leases: [] }),
    rowOf('bnonsense', 0, { leases: [], former: [leaseOf('alpha', 1)], report: 'unexpected' }),
    tombstoneOf(cidOf(2), 5),
  ]
  file.apply(rows.map(put))
  for (const row of rows) t.same(file.rows.row(row.cid), row)
  t.equal(file.rows.row(cidOf(99)), undefined)
})

t.test('the last row of a CID counts, and the newest come first', async (t) => {
  const file = inMemory(t)
  file.apply([put(rowOf(cidOf(1), 1)), put(rowOf(cidOf(2), 2)), put(rowOf(cidOf(1), 3))])
  file.apply([put(rowOf(cidOf(3), 0)), put(rowOf(cidOf(4), 4))])
  t.same(
    file.rows.newest(Infinity, 10).map(({ seq }) => seq),
    [4, 3, 2],
  )
  t.same(
    file.rows.newest(4, 1).map(({ cid }) => cid),
    [cidOf(1)],
  )
})

t.test('holders are counted in the same transaction', async (t) => {
  const file = inMemory(t)
  const both = { leases: [leaseOf('alpha', 1), leaseOf('beta', 1)] }
  file.apply([put(rowOf(cidOf(1), 1, both)), put(rowOf(cidOf(2), 2))])
  t.same([...file.rows.takeChanges()].sort(), [
    ['alpha', 2],
    ['beta', 1],
  ])
  file.apply([put(rowOf(cidOf(1), 3)), put(tombstoneOf(cidOf(2), 4))])
  t.same([file.rows.count('alpha'), file.rows.count('beta')], [1, 0])
  t.same(file.rows.held('alpha', undefined, 10), [cidOf(1)])
  t.same(file.rows.held('beta', undefined, 10), [])
  t.throws(() => {
    file.apply([put(rowOf(cidOf(5), 5)), put({ ...rowOf(cidOf(6), 6), seq: undefined as never })])
  })
  t.equal(file.rows.count('alpha'), 1, 'of a batch that failed nothing is kept')
  t.equal(file.rows.row(cidOf(5)), undefined)
})

t.test("pages of a holder's pins continue after any CID, even a deleted one", async (t) => {
  const file = inMemory(t)
  file.apply(Array.from({ length: 25 }, (_, index) => put(rowOf(cidOf(index), index + 1))))
  const all = file.rows.held('alpha', undefined, 100)
  t.equal(all.length, 25)
  file.apply([put(tombstoneOf(all[9] ?? '', 100))])
  const pages = [
    ...file.rows.held('alpha', undefined, 9),
    ...file.rows.held('alpha', all[9], 10),
    ...file.rows.held('alpha', all[19], 10),
  ]
  t.same(pages, all.toSpliced(9, 1))
})

t.test('an expired lease is no longer counted, and its row is deleted a day later', async (t) => {
  let now = 1_800_000_000_000
  const file = inMemory(t, () => now)
  const soon = { leases: [leaseOf('alpha', 1, now + 1000), leaseOf('beta', 1, now + 5000)] }
  file.apply([put(rowOf(cidOf(1), 1, soon)), put(rowOf(cidOf(2), 2))])
  now += 1000
  t.equal(file.maintain(), false)
  t.same([file.rows.count('alpha'), file.rows.count('beta')], [1, 1])
  now += 4000
  file.maintain()
  t.same([file.rows.count('alpha'), file.rows.count('beta')], [1, 0])
  t.ok(file.rows.row(cidOf(1)))
  now += dayMs
  file.maintain()
  t.equal(file.rows.row(cidOf(1)), undefined)
  t.ok(file.rows.row(cidOf(2)), 'what does not run out stays')
})

t.test('of rows without a lease the newest ten thousand stay, others for a day', async (t) => {
  let now = 1_800_000_000_000
  const file = inMemory(t, () => now)
  const count = 10_050
  const tombstones = Array.from({ length: count }, (_, index) =>
    tombstoneOf(cidOf(index), index + 1, { atMs: now }),
  )
  const kept = rowOf(cidOf(count), count + 1, { former: [leaseOf('alpha', 1)], leases: [] })
  file.apply([...tombstones, { ...kept, expiresMs: now + 30 * dayMs }].map(put))
  while (file.maintain());
  t.equal(file.check().rows, count + 1)
  now += dayMs
  while (file.maintain());
  t.equal(file.check().rows, 10_000)
  t.equal(file.rows.row(cidOf(50)), undefined)
  t.ok(file.rows.row(cidOf(51)))
  t.ok(file.rows.row(cidOf(count)), 'its retention period is not over')
})

t.test('queue and doubts outlive the run; a number is given out once', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const before = open(t, path)
  t.match(before.contents, { wasClosed: true, isRebooted: false, isCopy: false, queue: [] })
  const from = before.reserve(10)
  const doubt = { cid: cidOf(1), reason: 'near-sweep', attempt: 2, dueMs: 5000 } as const
  before.apply([
    { kind: 'enqueue', entry: entryOf(1) },
    { kind: 'enqueue', entry: { ...entryOf(2), untilMs: 1_900_000_000_000 } },
    { kind: 'enqueue', entry: entryOf(3) },
    { kind: 'enqueue', entry: { ...entryOf(1), rejection: 'key-revoked' } },
    { kind: 'dequeue', seq: 3 },
    { kind: 'doubt', doubt: { ...doubt, attempt: 1 } },
    { kind: 'doubt', doubt },
    { kind: 'doubt', doubt: { ...doubt, reason: 'not-found' } },
    { kind: 'settle', cid: cidOf(1), reason: 'not-found' },
    { kind: 'name', holder: 'alpha', name: 'one' },
    { kind: 'name', holder: 'alpha', name: 'two' },
    put(rowOf(cidOf(1), from)),
  ])
  t.equal(before.pending.openUntil(cidOf(1)), 5000 + 900_000 - 120_000)
  t.equal(before.pending.openUntil(cidOf(2)), 0)
  t.equal(before.pending.openUntil(cidOf(3)), undefined)
  before.close(from + 3)
  const after = open(t, path)
  t.same(after.contents.queue, [
    { ...entryOf(1), rejection: 'key-revoked' },
    { ...entryOf(2), untilMs: 1_900_000_000_000 },
  ])
  t.same(after.contents.doubts, [doubt])
  t.same([...after.contents.counts], [['alpha', 1]])
  t.same([...after.rows.names()], [['alpha', 'two']])
  t.match(after.contents, { wasClosed: true, isRebooted: false, lastRow: from })
  t.equal(after.gateId, before.gateId)
  t.match(after.gateId, /^[0-9a-z]{8}$/)
  t.equal(after.reserve(10), from + 3)
  // Not a clean shutdown.
  after.close()
  const last = open(t, path)
  t.match(last.contents, { wasClosed: false })
  t.equal(last.reserve(10), from + 13)
})

t.test('a start of the machine between two runs is noticed', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const before = open(t, path)
  before.probe()
  before.close()
  const db = new DatabaseSync(path)
  db.exec("UPDATE meta SET value = 'another' WHERE key = 'bootId'")
  db.close()
  t.match(open(t, path).contents, { wasClosed: false, isRebooted: true })
})

t.test('only its user may read the file, and its group may look into the directory', async (t) => {
  const directory = join(directoryOf(t), 'new')
  open(t, join(directory, 'ledger.db')).probe()
  t.equal(statSync(directory).mode & 0o777, 0o750)
  const modes = readdirSync(directory).map((name) => statSync(join(directory, name)).mode & 0o777)
  t.same(modes, [0o600, 0o600], 'the file, and what was not yet put into it')
})

t.test('a damaged file is set aside whole, and a new ledger is begun', async (t) => {
  const damages = {
    'its head is gone': (path: string) => {
      writeAt(path, 0, 'no database at all')
    },
    'a page is another': (path: string) => {
      for (let page = 1; page < 40; page++) writeAt(path, page * 4096, '\xff'.repeat(64))
    },
  }
  for (const [title, damage] of Object.entries(damages))
    await t.test(title, async (t) => {
      const directory = directoryOf(t)
      const path = join(directory, 'ledger.db')
      const before = open(t, path)
      before.apply(Array.from({ length: 1000 }, (_, index) => put(rowOf(cidOf(index), index + 1))))
      before.close(1001)
      damage(path)
      const damaged = readFileSync(path)
      const after = open(t, path)
      t.match(after.setAside, /ledger\.db\.damaged-\d{8}T\d{6}Z$/)
      t.same(readFileSync(after.setAside ?? ''), damaged)
      t.not(after.gateId, before.gateId)
      t.equal(after.check().rows, 0)
      after.apply([put(rowOf(cidOf(1), 1))])
      t.same(after.check().problems, [])
    })
})

t.test('queued pins of a damaged file move to the new ledger, under new numbers', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const before = open(t, path)
  before.apply([5, 6, 7].map((seq) => ({ kind: 'enqueue', entry: entryOf(seq) })))
  before.apply(Array.from({ length: 1000 }, (_, index) => put(rowOf(cidOf(index), index + 1))))
  before.close(2001)
  for (let page = 30; page < 34; page++) writeAt(path, page * 4096, '\xff'.repeat(64))
  const damaged = readFileSync(path)
  const { contents, setAside = '' } = open(t, path)
  t.same(readFileSync(setAside), damaged)
  t.same(
    contents.queue.map(({ cid }) => cid),
    [5, 6, 7].map((seq) => cidOf(seq)),
  )
  t.equal(contents.isIncomplete, true, 'the cluster is to be asked what it has')
})

/** The file is not open here: closing it would end SQLite's locks. */
function writeAt(path: string, offset: number, text: string): void {
  const handle = openSync(path, 'r+')
  writeSync(handle, Buffer.from(text, 'latin1'), 0, text.length, offset)
  closeSync(handle)
}

t.test('a single damaged row or entry affects no other', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const before = open(t, path)
  before.apply([
    put(rowOf(cidOf(1), 1)),
    put(rowOf(cidOf(2), 2)),
    { kind: 'enqueue', entry: entryOf(3) },
    { kind: 'enqueue', entry: entryOf(4) },
  ])
  before.close(5)
  const db = new DatabaseSync(path)
  db.exec(`UPDATE pin SET leases = '[["alpha', released = '[[' WHERE seq = 1`)
  db.exec(`UPDATE queue SET entry = replace(entry, 'video', 'vodeo') WHERE seq = 3`)
  db.close()
  const after = open(t, path)
  t.same(
    after.contents.queue.map(({ seq }) => seq),
    [4],
  )
  t.equal(after.damagedEntries, 1)
  t.same(after.check().problems, ['1 pins that wait cannot be read', '1 rows cannot be read'])
  t.equal(after.rows.row(cidOf(1)), undefined)
  t.ok(after.rows.row(cidOf(2)))
  after.apply([put(tombstoneOf(cidOf(1), 5))])
  t.equal(after.rows.count('alpha'), 1, 'the count is right again')
})

t.test('a ledger of a newer release is refused with a message', async (t) => {
  const directory = directoryOf(t)
  const path = join(directory, 'ledger.db')
  open(t, path).close()
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 99')
  db.close()
  t.throws(() => open(t, path), {
    message:
      `the ledger in ${directory} was written by a newer release (version 99 of its tables, ` +
      `this release knows ${knownVersion}): install that release again`,
  })
  t.same(readdirSync(directory), ['ledger.db'], 'nothing is set aside')
})

t.test('each step of a migration is atomic', async (t) => {
  const db = new DatabaseSync(':memory:')
  t.teardown(() => {
    db.close()
  })
  const one = 'CREATE TABLE one (a)'
  t.throws(() => {
    migrate(db, [one, 'CREATE TABLE two (a); CREATE TABLE two (a)', 'CREATE TABLE three (a)'])
  })
  const tables = () =>
    db
      .prepare('SELECT name FROM sqlite_schema ORDER BY name')
      .all()
      .map(({ name }) => name)
  t.same(tables(), ['one'])
  t.equal(versionOf(db), 1)
  migrate(db, [one, 'CREATE TABLE two (a)'])
  t.same(tables(), ['one', 'two'])
  t.equal(versionOf(db), 2)
})

t.test('a backup is marked as a copy until an operator trusts it', async (t) => {
  const directory = directoryOf(t)
  const file = open(t, join(directory, 'ledger.db'))
  const from = file.reserve(1000)
  file.apply(Array.from({ length: 3000 }, (_, index) => put(rowOf(cidOf(index), index + 1))))
  const path = join(directory, 'backup.db')
  const backup = backUp(file, path)
  file.apply([put(rowOf(cidOf(3000), 3001))])
  await backup
  t.same(readdirSync(directory).sort(), ['backup.db', 'ledger.db', 'ledger.db-wal'])
  await t.rejects(backUp(file, path), { message: `${path} exists: name a new file` })
  const copy = open(t, path)
  t.match(copy.contents, { isCopy: true, wasClosed: false })
  t.equal(copy.gateId, file.gateId)
  t.same(copy.check().problems, [])
  t.ok(copy.check().rows >= 3000)
  const gateId = copy.trust()
  t.not(gateId, file.gateId)
  copy.close()
  const trusted = open(t, path)
  t.match(trusted.contents, { isCopy: false })
  t.equal(trusted.gateId, gateId)
  t.equal(trusted.rows.row(cidOf(0))?.seq, -1, 'it may have been released since')
  t.ok(trusted.reserve(10) >= from + 1000)
})

t.test('a removed file acknowledges nothing', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const file = open(t, path)
  file.apply([put(rowOf(cidOf(1), 1))])
  unlinkSync(path)
  t.throws(
    () => {
      file.apply([put(rowOf(cidOf(2), 2))])
    },
    { name: 'DiskFault', message: `${path} was removed or replaced while it was open` },
  )
  writeFileSync(path, '')
  t.throws(
    () => {
      file.apply([put(rowOf(cidOf(2), 2))])
    },
    { name: 'DiskFault' },
  )
})

t.test(
  'without the log of the file nothing more is acknowledged, and nothing is lost',
  async (t) => {
    const path = join(directoryOf(t), 'ledger.db')
    const file = open(t, path)
    file.apply([put(rowOf(cidOf(1), 1))])
    unlinkSync(`${path}-wal`)
    t.throws(
      () => {
        file.apply([put(rowOf(cidOf(2), 2))])
      },
      { name: 'DiskFault', message: `${path} was removed or replaced while it was open` },
    )
    file.makeRoom()
    const copy = join(directoryOf(t), 'ledger.db')
    copyFileSync(path, copy)
    t.equal(open(t, copy).check().rows, 1, 'a kill costs no row')
  },
)

t.test('pending verification is there for the next run', async (t) => {
  const path = join(directoryOf(t), 'ledger.db')
  const walks = { places: [7, 40], isRebooted: true }
  const file = open(t, path)
  t.equal(file.contents.walks, undefined)
  file.apply([{ kind: 'walks', walks }])
  file.close()
  t.same(open(t, path).contents.walks, walks)
})
