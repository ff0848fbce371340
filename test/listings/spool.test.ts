/** What readers of one stream get, wherever it is kept: each all of it, in order, or the error. */
import { readdirSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { compressed } from '../../src/listings/compressed.js'
import { Chunk } from '../../src/listings/chunk.js'
import { Spool } from '../../src/listings/spool.js'
import { type Allocation, SpoolQuota } from '../../src/listings/spool-quota.js'
import { clock } from '../support/clock.js'

const batch = (index: number, bytes = 65_536): Chunk =>
  new Chunk(Buffer.from(`${index}`.padStart(bytes, '0')))

/** All that a reader gets; the bytes of a chunk change as soon as it is released. */
async function all(spool: Spool): Promise<Buffer> {
  const cursor = spool.enter()
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = await spool.next(cursor)
    if (chunk === undefined) break
    chunks.push(Buffer.from(chunk.bytes))
    chunk.release()
  }
  spool.leave(cursor)
  return Buffer.concat(chunks)
}

const text = async (spool: Spool): Promise<string> => (await all(spool)).toString()

const wholeOf = (count: number): string =>
  Array.from({ length: count }, (_, index) => batch(index).bytes.toString()).join('')

/** Appends as the upstream reader does: it waits when the spool says so. */
async function fill(spool: Spool, count: number, room: { next: Promise<void> }): Promise<void> {
  for (let index = 0; index < count; index++) if (!spool.append(batch(index))) await room.next
  spool.finish()
}

/** A spool that says when the upstream reader may continue. */
function spoolIn(t: Test, quota: SpoolQuota) {
  let go = (): void => undefined
  const turn = { next: Promise.resolve() }
  const renew = (): void => {
    turn.next = new Promise((resolve) => (go = resolve))
  }
  renew()
  const spool = new Spool(quota, {
    onRoom: () => {
      go()
      renew()
    },
  })
  t.teardown(() => {
    spool.close()
    quota.close()
  })
  return { spool, turn }
}

/** What a spool's file leaves behind when it is closed. */
async function lastWritten(quota: SpoolQuota, spool: Spool): Promise<Allocation> {
  spool.close()
  for (;;) {
    const allocation = await quota.open()
    if (allocation.bytes > 0) {
      await quota.recycle(allocation)
      return allocation
    }
    await allocation.file.close()
  }
}

async function allocationOf(quota: SpoolQuota, bytes: number): Promise<Allocation> {
  const { file } = await quota.open()
  quota.reserve(bytes)
  return { file, bytes }
}

t.test('readers get all of it, early or late, from memory or from the disk', async (t) => {
  const directory = t.testdir({})
  for (const count of [0, 1, 10, 200]) {
    const { spool, turn } = spoolIn(t, new SpoolQuota(directory, 1e9))
    const early = text(spool)
    const filling = fill(spool, count, turn)
    const meanwhile = text(spool)
    await filling
    const late = text(spool)
    const whole = wholeOf(count)
    for (const read of [early, meanwhile, late]) t.ok((await read) === whole, String(count))
    t.equal(spool.readers, 0)
    t.ok(spool.isWhole)
    spool.close()
  }
  t.same(readdirSync(directory), [], 'no file has a name')
})

t.test('a reader that joins and leaves delays no other', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolQuota(t.testdir({}), 1e9))
  const leaving = spool.enter()
  const waiting = spool.next(leaving)
  const staying = text(spool)
  spool.leave(leaving)
  await fill(spool, 100, turn)
  t.ok((await staying) === wholeOf(100))
  ;(await waiting)?.release()
  t.equal(spool.readers, 0)
})

t.test('without room on the disk the upstream reader waits for the slowest client', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolQuota(t.testdir({}), 3_000_000))
  const slow = spool.enter()
  const quick = text(spool)
  let isFilled = false
  const filling = fill(spool, 200, turn).then(() => (isFilled = true))
  const chunks: Buffer[] = []
  for (;;) {
    const chunk = await spool.next(slow)
    if (chunk === undefined) break
    chunks.push(Buffer.from(chunk.bytes))
    chunk.release()
    if (slow.position < 4_000_000)
      t.notOk(isFilled, 'the upstream reader waits', { diagnostic: false })
  }
  spool.leave(slow)
  await filling
  t.ok(Buffer.concat(chunks).toString() === wholeOf(200))
  t.ok((await quick) === wholeOf(200))
  t.notOk(spool.isWhole, 'no other reader can begin')
})

t.test(
  'with a spool that is full or off, a reader that is far behind is cut, and holds up no other',
  async (t) => {
    for (const bytesMax of [0, 3_000_000]) {
      const time = clock()
      const quota = new SpoolQuota(t.testdir({}), bytesMax, undefined, time.setTimer)
      const { spool, turn } = spoolIn(t, quota)
      const cut: string[] = []
      const slow = spool.enter(() => cut.push('slow'))
      spool.append(batch(0))
      ;(await spool.next(slow))?.release()
      const quick = text(spool)
      const filling = fill(spool, 200, turn)
      while (cut.length === 0) {
        await new Promise(setImmediate)
        await time.turn(500)
      }
      await filling
      t.equal((await quick).length, 201 * 65_536)
      await t.rejects(spool.next(slow), { name: 'TooSlow' }, 'never a clean end')
    }
  },
)

t.test('the quota is for all files together, and bytes are given back to it', async (t) => {
  const quota = new SpoolQuota(t.testdir({}), 10_000_000)
  for (let round = 0; round < 3; round++) {
    const { spool, turn } = spoolIn(t, quota)
    const reading = text(spool)
    await fill(spool, 100, turn)
    t.ok((await reading) === wholeOf(100))
    t.ok(spool.isWhole)
    const other = spoolIn(t, quota)
    const passing = text(other.spool)
    await fill(other.spool, 100, other.turn)
    t.ok((await passing) === wholeOf(100))
    t.notOk(other.spool.isWhole)
    spool.close()
    other.spool.close()
    while (!quota.reserve(10_000_000)) await new Promise((resolve) => setImmediate(resolve))
    quota.giveBack(10_000_000)
  }
})

t.test('a finished file is overwritten by the next', async (t) => {
  const quota = new SpoolQuota(t.testdir({}), 20_000_000)
  const first = spoolIn(t, quota)
  await fill(first.spool, 200, first.turn)
  const allocation = await lastWritten(quota, first.spool)
  const { spool, turn } = spoolIn(t, quota)
  const [early] = await Promise.all([text(spool), fill(spool, 100, turn)])
  t.ok(early === wholeOf(100))
  t.ok((await text(spool)) === wholeOf(100), 'nothing of what was longer')
  const again = await lastWritten(quota, spool)
  t.equal(again.file, allocation.file)
  t.equal(again.bytes, allocation.bytes, 'its bytes are still reserved')
})

t.test('the largest file stays pooled for five minutes', async (t) => {
  const { setTimer, turn } = clock()
  const quota = new SpoolQuota(t.testdir({}), 1000, undefined, setTimer)
  const [small, large, other] = await Promise.all([
    allocationOf(quota, 100),
    allocationOf(quota, 700),
    quota.open(),
  ])
  await quota.recycle(small)
  await quota.recycle(large)
  await t.rejects(small.file.stat(), { code: 'EBADF' })
  await quota.recycle(other)
  await t.rejects(other.file.stat(), { code: 'EBADF' }, 'an empty one')
  await turn(299_999)
  const same = await quota.open()
  t.equal(same.file, large.file)
  await quota.recycle(same)
  await turn(299_999)
  t.ok(await large.file.stat())
  await turn(1)
  await t.rejects(large.file.stat(), { code: 'EBADF' })
  t.ok(quota.reserve(1000), 'the whole quota is free again')
})

t.test('a pooled file gives way to a listing that needs its bytes, and to the end', async (t) => {
  const quota = new SpoolQuota(t.testdir({}), 1000)
  const first = await allocationOf(quota, 700)
  await quota.recycle(first)
  t.ok(quota.reserve(300), 'beside it')
  t.ok(await first.file.stat())
  t.ok(quota.reserve(1), 'in its cursor')
  await t.rejects(first.file.stat(), { code: 'EBADF' })
  quota.giveBack(301)
  const second = await allocationOf(quota, 700)
  const third = await allocationOf(quota, 100)
  await quota.recycle(second)
  quota.close()
  await t.rejects(second.file.stat(), { code: 'EBADF' })
  await quota.recycle(third)
  await t.rejects(third.file.stat(), { code: 'EBADF' }, 'none after the end')
})

t.test('a directory that cannot be written to is like a disk that is full', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolQuota('/nonexistent', 1e9))
  const reading = text(spool)
  await fill(spool, 100, turn)
  t.ok((await reading) === wholeOf(100))
  t.notOk(spool.isWhole)
})

t.test('an error comes after all that came before it', async (t) => {
  const spool = new Spool(new SpoolQuota(t.testdir({}), 1e9))
  spool.append(new Chunk(Buffer.from('some')))
  spool.finish(new Error('cut'))
  spool.finish()
  const cursor = spool.enter()
  t.equal(String((await spool.next(cursor))?.bytes), 'some')
  await t.rejects(spool.next(cursor), { message: 'cut' })
})

t.test('the compressed stream is the same, and the error follows the data', async (t) => {
  const quota = new SpoolQuota(t.testdir({}), 1e9)
  const { spool, turn } = spoolIn(t, quota)
  const packed = compressed(spool, quota)
  t.teardown(() => {
    packed.close()
  })
  const early = all(packed)
  await fill(spool, 100, turn)
  const late = all(packed)
  for (const bytes of await Promise.all([early, late])) {
    t.ok(bytes.length < 100_000)
    t.ok(gunzipSync(bytes).toString() === wholeOf(100))
  }

  const cut = new Spool(quota)
  cut.append(new Chunk(Buffer.from('some')))
  cut.finish(new Error('cut'))
  const packedCut = compressed(cut, quota)
  const cursor = packedCut.enter()
  const chunks: Buffer[] = []
  await t.rejects(async () => {
    for (;;) chunks.push((await packedCut.next(cursor))?.bytes ?? Buffer.alloc(0))
  }, /cut/)
  t.equal(gunzipSync(Buffer.concat(chunks), { finishFlush: 2 }).toString(), 'some')
})
