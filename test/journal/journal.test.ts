/** The journal on a real disk: what was acknowledged is there again, whatever happens to the file. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Wish } from '../../src/journal/entry.js'
import { Journal } from '../../src/journal/journal.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { limitFiles } from '../support/full-disk.js'

const wish = (index: number, more: Partial<Wish> = {}): Wish => ({
  cid: generatedCid(index),
  encoder: 'alpha',
  keyId: 'k1',
  options: [['name', `pin ${index}`]],
  untilMs: Infinity,
  requestId: `r${index}`,
  ...more,
})

interface Told {
  readonly level: string
  readonly message: string
  readonly fields: object
}

async function opened(t: Test, directory = t.testdir({}), entriesMax = 100_000) {
  const told: Told[] = []
  const journal = await Journal.open({
    directory,
    entriesMax,
    tell: (level, fields, message) => told.push({ level, message, fields }),
  })
  t.teardown(() => journal.close())
  return { journal, told, directory, file: join(directory, 'journal') }
}

const namesIn = (journal: Journal) => journal.entries().map(({ requestId }) => requestId)

t.test('what was accepted is there again, in its order, and what is done is not', async (t) => {
  const { journal, directory } = await opened(t)
  const first = await journal.accept(wish(1, { untilMs: 1_800_000_000_000 }))
  const second = await journal.accept(wish(2))
  await journal.accept(wish(1, { encoder: 'beta', requestId: 'r3' }))
  await journal.done(second)
  t.same([journal.size, journal.sizeOf('alpha'), journal.sizeOf('beta')], [2, 1, 1])
  await journal.close()

  const again = await opened(t, directory)
  t.same(namesIn(again.journal), ['r1', 'r3'])
  t.same(again.journal.entries()[0], first)
  t.equal(again.journal.entries()[1]?.untilMs, Infinity)
  t.same(
    [...again.journal.heads()].map(({ requestId }) => requestId),
    ['r1'],
    'the first of each CID',
  )
  t.match(again.told, [{ level: 'info', message: 'the journal has pins to be made' }])
  t.ok((await again.journal.accept(wish(9))).seq > 3, 'later ones are counted on')
})

t.test('a file that ends anywhere gives all lines that were finished', async (t) => {
  const { journal, directory, file } = await opened(t)
  for (let index = 1; index <= 3; index++) await journal.accept(wish(index))
  await journal.close()
  const whole = readFileSync(file)
  const ends = [...whole].flatMap((byte, index) => (byte === 10 ? [index + 1] : []))
  for (let length = whole.length; length >= 0; length--) {
    writeFileSync(file, whole)
    truncateSync(file, length)
    const { journal, told } = await opened(t, directory)
    const finished = ends.filter((end) => end <= length).length
    const isTorn = !ends.includes(length) && length > 0
    if (journal.size !== finished) t.fail(`${journal.size} entries of ${length} bytes`)
    const warnings = told.filter(({ level }) => level === 'warn').length
    if (warnings !== (isTorn ? 1 : 0)) t.fail(`${warnings} warnings at ${length} bytes`)
    if (told.some(({ level }) => level === 'error')) t.fail(`an error at ${length} bytes`)
    await journal.close()
  }
  t.equal(ends.length, 3)
})

t.test('a line that was damaged costs no other, and the file is set aside', async (t) => {
  const { journal, directory, file } = await opened(t)
  for (let index = 1; index <= 3; index++) await journal.accept(wish(index))
  await journal.close()
  const damaged = readFileSync(file, 'utf8').replace('pin 2', 'pin x')
  writeFileSync(file, damaged)
  const again = await opened(t, directory)
  t.same(namesIn(again.journal), ['r1', 'r3'])
  t.match(again.told, [
    { level: 'error', message: 'the journal is damaged: lines of it cannot be read' },
    { level: 'info' },
  ])
  t.equal(readFileSync(`${file}.damaged`, 'utf8'), damaged)
})

t.test('the same once more is there already', async (t) => {
  const { journal } = await opened(t)
  const [one, other] = await Promise.all([
    journal.accept(wish(1)),
    journal.accept(wish(1, { requestId: 'again' })),
  ])
  t.equal(one, other)
  t.equal(await journal.accept(wish(1)), one)
  t.not(await journal.accept(wish(1, { options: [['name', 'another']] })), one)
  t.not(await journal.accept(wish(1)), one, 'what lies between is not the same')
  t.equal(journal.size, 3)
})

t.test('what comes at once is written at once, and all of it is there', async (t) => {
  const { journal, directory } = await opened(t)
  await Promise.all(Array.from({ length: 2000 }, (_, index) => journal.accept(wish(index))))
  await Promise.all(
    journal.entries().flatMap((entry) => (entry.seq % 2 === 0 ? [journal.done(entry)] : [])),
  )
  await journal.close()
  const again = await opened(t, directory)
  t.equal(again.journal.size, 1000)
  t.ok(again.journal.entries().every(({ seq }) => seq % 2 === 1))
})

t.test('when nothing waits any more the file is empty', async (t) => {
  const { journal, file } = await opened(t)
  const entries = await Promise.all([1, 2, 3].map((index) => journal.accept(wish(index))))
  const calls: string[] = []
  journal.whenDone(generatedCid(2), () => calls.push('done'))
  journal.whenDone(generatedCid(2), () => calls.push('left'))()
  await Promise.all(entries.map((entry) => journal.done(entry)))
  await Promise.all(entries.map((entry) => journal.done(entry)))
  t.equal(readFileSync(file, 'utf8'), '')
  t.same([journal.size, journal.sizeOf('alpha')], [0, 0])
  t.same(calls, ['done'])
})

t.test('a journal that is full takes no more', async (t) => {
  const { journal } = await opened(t, undefined, 2)
  await journal.accept(wish(1))
  await journal.accept(wish(2))
  await t.rejects(journal.accept(wish(3)), { name: 'JournalFault' })
  t.notOk(journal.has(generatedCid(3)))
})

t.test('a full disk is told once, refuses, and costs nothing that was accepted', async (t) => {
  const { journal, told, directory } = await opened(t)
  await journal.accept(wish(1))
  limitFiles(300)
  try {
    for (const index of [2, 3])
      await t.rejects(journal.accept(wish(index)), { name: 'JournalFault' })
    t.match(told, [{ level: 'error', message: 'the journal cannot be written: pins are refused' }])
    t.same(namesIn(journal), ['r1'])
  } finally {
    limitFiles('unlimited')
  }
  await journal.accept(wish(4))
  t.match(told.at(-1), { level: 'info', message: 'the journal can be written again' })
  await journal.close()
  const again = await opened(t, directory)
  t.same(namesIn(again.journal), ['r1', 'r4'])
  t.equal(again.told.length, 1, 'and the file is whole')
})

t.test('a journal has one daemon', async (t) => {
  const { journal, directory } = await opened(t)
  await t.rejects(opened(t, directory), {
    message: `another daemon has the journal in ${directory}`,
  })
  await journal.close()
  const again = await opened(t, directory)
  t.equal(again.journal.size, 0)
})
