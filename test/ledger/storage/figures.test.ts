/** The figures that each scrape reads: of the file, and while its disk hangs. */
import t from 'tap'
import { FigureReader } from '../../../src/ledger/storage/figure-reader.js'
import { LedgerFile } from '../../../src/ledger/storage/ledger-file.js'
import { cidOf, directoryOf, leaseOf, openLedger, rowOf, tombstoneOf } from './samples.js'

t.test('rows with leases are counted, and reported ones separately', async (t) => {
  const { storage } = await openLedger(t, directoryOf(t))
  await storage.commit([
    { kind: 'row', row: rowOf(cidOf(1), 1) },
    { kind: 'row', row: rowOf(cidOf(2), 2, { report: 'missing' }) },
    { kind: 'row', row: tombstoneOf(cidOf(3), 3, { report: 'unexpected' }) },
  ])
  const { commits, freeBytes, ...figures } = await storage.figures()
  t.match(figures, { owedRows: 2, reportedRows: { missing: 1, unexpected: 1 } })
  t.ok(figures.bytes >= 4096)
  t.ok(Number(freeBytes) > 0)
  t.ok(commits.count >= 1)
  t.ok(commits.seconds > 0)
})

t.test('few rows are counted at each call, and many once a minute only', async (t) => {
  let now = 1_800_000_000_000
  const file = new LedgerFile({ path: ':memory:', now: () => now })
  t.equal(file.rows.owed(), 0)
  file.apply([{ kind: 'row', row: rowOf(cidOf(1), 1) }])
  t.equal(file.rows.owed(), 1)
  const rows = Array.from({ length: 10_000 }, (_, n) => rowOf(cidOf(n + 2), n + 2))
  file.apply(rows.map((row) => ({ kind: 'row', row })))
  t.equal(file.rows.owed(), 10_001)
  file.apply([{ kind: 'row', row: rowOf(cidOf(10_002), 10_002) }])
  t.equal(file.rows.owed(), 10_001)
  now += 60_000
  t.equal(file.rows.owed(), 10_002)
  file.close()
})

t.test('a row is owed until the last of its leases ends, whatever its age', (t) => {
  let now = 1_800_000_000_000
  const file = new LedgerFile({ path: ':memory:', now: () => now })
  const ending = (n: number, ...seconds: number[]) => {
    const leases = seconds.map((s, index) => leaseOf(`h${index}`, n, now + s * 1000))
    file.apply([{ kind: 'row', row: rowOf(cidOf(n), n, { leases }) }])
  }
  ending(1, 5)
  ending(2, 5, 60)
  ending(3, 5, Infinity)
  ending(4, 4 * 86_400)
  file.apply([{ kind: 'row', row: rowOf(cidOf(5), 5) }])
  t.equal(file.rows.owed(), 5)
  for (const [passed, owed] of [
    [5, 4],
    [60, 3],
    [4 * 86_400, 2],
    [9 * 86_400, 2],
  ] as const) {
    now = 1_800_000_000_000 + passed * 1000
    t.equal(file.rows.owed(), owed, `after ${passed} s`)
    file.maintain()
    t.equal(file.rows.owed(), owed, 'also when the lease has left the counts')
  }
  file.database.exec("UPDATE pin SET leases = '[[', due = 1 WHERE id = 3")
  t.equal(file.rows.owed(), 1, 'a damaged row is unknown')
  file.close()
  t.end()
})

t.test('while the disk hangs the figures are the previous ones', async (t) => {
  const figures = (bytes: number) => ({
    ...{ owedRows: 1, reportedRows: { missing: 0, unexpected: 0 } },
    ...{ bytes, freeBytes: 1, hasNoInodes: false },
  })
  const asked: PromiseWithResolvers<ReturnType<typeof figures>>[] = []
  const timers: (() => void)[] = []
  const reader = new FigureReader(
    () => {
      const answer = Promise.withResolvers<ReturnType<typeof figures>>()
      asked.push(answer)
      return answer.promise
    },
    (_ms, call) => {
      timers.push(call)
      return () => undefined
    },
  )
  const first = reader.read()
  asked[0]?.resolve(figures(1))
  t.same(await first, figures(1))
  const hanging = [reader.read(), reader.read()]
  for (const timer of timers) timer()
  t.same(await Promise.all(hanging), [figures(1), figures(1)])
  t.equal(asked.length, 2, 'and it is asked once meanwhile')
  const failing = reader.read()
  asked[1]?.reject(new Error('the disk failed'))
  t.same(await failing, figures(1))
})
