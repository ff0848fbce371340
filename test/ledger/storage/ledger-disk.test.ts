/** The ledger's disk, with real processes that are killed, and two that want the same file. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openLedgerDisk, openLedgerMemory } from '../../../src/ledger/storage/ledger-disk.js'
import { cidOf, directoryOf, entryOf, openLedger, rowOf, tombstoneOf } from './samples.js'

const program = fileURLToPath(new URL('committing.js', import.meta.url))

interface Committing {
  readonly child: ChildProcess
  readonly lines: string[]
  /** Resolves when it has said so many lines, or ended. */
  said(count: number): Promise<void>
  kill(): Promise<void>
}

function startCommitting(t: Test, directory: string, ...before: string[]): Committing {
  const [command, ...args] = [...before, process.execPath, program, directory]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const look = (): void => {
    for (const each of waiting) each()
  }
  child.stderr.on('data', (data: Buffer) => lines.push(`stderr ${data.toString()}`))
  const reader = createInterface(child.stdout)
  const ended = once(reader, 'close').then(look)
  reader.on('line', (line) => {
    lines.push(line)
    look()
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  t.teardown(kill)
  const said = (count: number): Promise<void> =>
    Promise.race([
      ended,
      new Promise<void>((resolve) => {
        const each = (): void => {
          if (lines.length >= count) resolve()
        }
        waiting.add(each)
        each()
      }),
    ])
  return { child, lines, said, kill }
}

const numbers = (lines: readonly string[], word: string): number[][] =>
  lines
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => line.split(' ').slice(1).map(Number))

t.test('acknowledged changes survive kill -9, and no number is used twice', async (t) => {
  const directory = directoryOf(t)
  const given = new Set<number>()
  const queued = new Set<number>()
  const mayBeGone = new Set<number>()
  const released = new Map<number, number>()
  for (const count of [300, 511, 703, 1200]) {
    const committing = startCommitting(t, directory)
    await committing.said(count)
    await committing.kill()
    t.match(committing.lines[0], /^open [0-9a-z]{8}$/)
    t.same(
      committing.lines.filter((line) => /^(?:stderr|error|log)/.test(line)),
      [],
      'no warning of Node, and no fault',
    )
    const seqs = numbers(committing.lines, 'seq').flat()
    t.same(
      seqs.filter((seq) => given.has(seq)),
      [],
      'no number comes twice',
    )
    for (const seq of seqs) given.add(seq)
    for (const [seq = 0] of numbers(committing.lines, 'queued')) queued.add(seq)
    for (const [seq = 0] of numbers(committing.lines, 'dequeued')) mayBeGone.add(seq)
    for (const [of = 0, seq = 0] of numbers(committing.lines, 'released')) released.set(of, seq)
  }
  const { storage } = await openLedger(t, directory)
  const { contents } = storage
  t.match(contents, { wasClosed: false, isRebooted: false })
  const there = new Set(contents.queue.map(({ seq }) => seq))
  const owed = [...queued].filter((seq) => !mayBeGone.has(seq))
  t.same(
    owed.filter((seq) => !there.has(seq)),
    [],
    'every 202',
  )
  const rows = await Promise.all([...released.keys()].map((seq) => storage.row(cidOf(seq))))
  t.same(
    rows.map((row) => row?.seq),
    [...released.values()],
    'every DELETE, and not what was noted before it',
  )
  t.ok(released.size > 100, `${released.size} were released, ${queued.size} queued`)
  t.same((await storage.check()).problems, [])
})

t.test('a second daemon is refused while the first one lives', async (t) => {
  const directory = directoryOf(t)
  const first = startCommitting(t, directory)
  await first.said(10)
  const canUnshare = spawnSync('unshare', ['--net', 'true']).status === 0
  const places = { 'beside it': [], ...(canUnshare && { 'in another network': ['unshare', '-n'] }) }
  for (const [title, before] of Object.entries(places)) {
    const second = startCommitting(t, directory, ...before)
    await once(second.child, 'exit')
    await second.said(1)
    t.same(second.lines, [`error another daemon uses the ledger in ${directory}`], title)
  }
  await first.kill()
  const third = startCommitting(t, directory)
  await third.said(10)
  t.match(third.lines[0], /^open /, 'the lock ends with its process')
})

t.test('an unusable directory is reported in one sentence', async (t) => {
  const directory = directoryOf(t)
  writeFileSync(join(directory, 'file'), '')
  const log = () => undefined
  await t.rejects(openLedgerDisk({ directory: join(directory, 'file'), log }), {
    message: `the ledger cannot be kept in ${join(directory, 'file')}: that is not a directory`,
  })
  mkdirSync(join(directory, 'ledger.db'))
  await t.rejects(openLedgerDisk({ directory, log }))
})

t.test('concurrent callers share a transaction, and notes are written within 50 ms', async (t) => {
  const { storage } = await openLedger(t, directoryOf(t))
  const seqs = Array.from({ length: 1000 }, () => storage.nextSeq())
  await Promise.all(
    seqs.map((seq) => storage.commit([{ kind: 'row', row: rowOf(cidOf(seq), seq) }])),
  )
  t.equal((await storage.newest(Infinity, 2000)).length, 1000)
  t.equal(storage.count('alpha'), 1000)
  const [seq, cid] = [storage.nextSeq(), cidOf(5)]
  storage.note([{ kind: 'row', row: tombstoneOf(cid, seq) }])
  t.match(await storage.row(cid), { seq }, 'it is seen while it waits')
  const since = performance.now()
  while (storage.count('alpha') === 1000) await new Promise(setImmediate)
  const ms = performance.now() - since
  t.comment(`a note was on the disk after ${ms.toFixed()} ms`)
  t.match(await storage.newest(Infinity, 1), [{ seq }])
})

t.test('notes before a clean shutdown are on the disk, and the run is closed', async (t) => {
  const directory = directoryOf(t)
  const { storage } = await openLedger(t, directory)
  const count = 3000
  for (let index = 0; index < count; index++)
    storage.note([{ kind: 'row', row: rowOf(cidOf(index), storage.nextSeq()) }])
  const next = storage.nextSeq() + 1
  await storage.close()
  await t.rejects(storage.commit([]), { name: 'LedgerFault' })
  t.same(readdirSync(directory).sort(), ['ledger.db', 'ledger.reserve'])
  const after = await openLedger(t, directory)
  t.match(after.storage.contents, { wasClosed: true, lastRow: count })
  t.equal(after.storage.count('alpha'), count)
  t.equal(after.storage.nextSeq(), next)
  t.ok(existsSync(join(directory, 'ledger.db-wal')))
})

t.test('a missing or empty ledger is reported, unlike a new one', async (t) => {
  const directory = directoryOf(t)
  for (const lose of [undefined, rmSync, truncateSync]) {
    lose?.(join(directory, 'ledger.db'))
    const { storage, logged } = await openLedger(t, directory)
    const told = lose === undefined ? [] : ['the ledger is gone or empty; the gate began a new one']
    t.same(
      logged.map(({ message }) => message),
      told,
    )
    await storage.commit([{ kind: 'row', row: rowOf(cidOf(1), storage.nextSeq()) }])
    await storage.close()
  }
})

t.test('it knows of which CIDs there is no row, also after a restart', async (t) => {
  const directory = directoryOf(t)
  const { storage } = await openLedger(t, directory)
  for (let index = 0; index < 3000; index++)
    storage.note([{ kind: 'row', row: rowOf(cidOf(index), storage.nextSeq()) }])
  await storage.close()
  const after = (await openLedger(t, directory)).storage
  t.equal(after.mayHaveRow(cidOf(3001)), true, 'it has not read them all yet')
  while (after.mayHaveRow(cidOf(3001))) await after.row(cidOf(0))
  t.ok([0, 1500, 2999].every((index) => after.mayHaveRow(cidOf(index))))
  void after.note([{ kind: 'row', row: rowOf(cidOf(3001), after.nextSeq()) }])
  t.equal(after.mayHaveRow(cidOf(3001)), true)
})

t.test('numbers do not run out, however fast they are taken', async (t) => {
  const { storage } = await openLedger(t, directoryOf(t))
  const seqs = new Set<number>()
  for (let turn = 0; turn < 50; turn++) {
    for (let count = 0; count < 1000; count++) seqs.add(storage.nextSeq())
    await storage.row(cidOf(1))
  }
  t.equal(seqs.size, 50_000)
})

t.test('only the change that cannot be written is refused, and it blocks no other', async (t) => {
  const { storage, logged } = await openLedger(t, directoryOf(t))
  const bad = { ...rowOf(cidOf(1), 1), seq: {} as never }
  const results = await Promise.allSettled([
    storage.commit([{ kind: 'row', row: rowOf(cidOf(2), 2) }]),
    storage.commit([{ kind: 'row', row: bad }]),
    storage.commit([{ kind: 'enqueue', entry: entryOf(3) }]),
  ])
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  storage.note([
    { kind: 'row', row: bad },
    { kind: 'row', row: rowOf(cidOf(4), 4) },
  ])
  while (logged.length === 0) await storage.commit([])
  t.match(logged, [{ level: 'error', message: 'lost changes of the ledger' }])
  t.match(await storage.row(cidOf(4)), { seq: 4 })
  t.ok(storage.isWritable)
})

t.test('a gate without a directory still has a ledger', async (t) => {
  const storage = await openLedgerMemory(() => undefined)
  t.teardown(() => storage.close())
  const seq = storage.nextSeq()
  await storage.commit([{ kind: 'row', row: rowOf(cidOf(1), seq) }])
  t.match(await storage.row(cidOf(1)), { seq })
  t.same(await storage.held('alpha', undefined, 10), [cidOf(1)])
  t.match(storage.contents, { wasClosed: true, isCopy: false })
})
