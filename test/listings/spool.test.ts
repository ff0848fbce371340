/** What readers of one stream get, wherever it is kept: each all of it, in order, or the error. */
import { readdirSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { compressed } from '../../src/listings/compressed.js'
import { Part } from '../../src/listings/part.js'
import { Spool } from '../../src/listings/spool.js'
import { type Lot, SpoolRoom } from '../../src/listings/spool-room.js'
import { clock } from '../support/clock.js'

const batch = (index: number, bytes = 65_536): Part =>
  new Part(Buffer.from(`${index}`.padStart(bytes, '0')))

/** All that a reader gets, whose pieces are others as soon as they are released. */
async function all(spool: Spool): Promise<Buffer> {
  const place = spool.enter()
  const parts: Buffer[] = []
  for (;;) {
    const piece = await spool.next(place)
    if (piece === undefined) break
    parts.push(Buffer.from(piece.bytes))
    piece.release()
  }
  spool.leave(place)
  return Buffer.concat(parts)
}

const text = async (spool: Spool): Promise<string> => (await all(spool)).toString()

const wholeOf = (count: number): string =>
  Array.from({ length: count }, (_, index) => batch(index).bytes.toString()).join('')

/** Appends as a source does: it waits when it is told to. */
async function fill(spool: Spool, count: number, room: { next: Promise<void> }): Promise<void> {
  for (let index = 0; index < count; index++) if (!spool.append(batch(index))) await room.next
  spool.finish()
}

/** A spool that says when the source may go on. */
function spoolIn(t: Test, room: SpoolRoom) {
  let go = (): void => undefined
  const turn = { next: Promise.resolve() }
  const renew = (): void => {
    turn.next = new Promise((resolve) => (go = resolve))
  }
  renew()
  const spool = new Spool(room, {
    onRoom: () => {
      go()
      renew()
    },
  })
  t.teardown(() => {
    spool.close()
    room.close()
  })
  return { spool, turn }
}

/** What a spool's file leaves behind when it is closed. */
async function lastWritten(room: SpoolRoom, spool: Spool): Promise<Lot> {
  spool.close()
  for (;;) {
    const lot = await room.open()
    if (lot.bytes > 0) {
      await room.takeBack(lot)
      return lot
    }
    await lot.file.close()
  }
}

async function lotOf(room: SpoolRoom, bytes: number): Promise<Lot> {
  const { file } = await room.open()
  room.take(bytes)
  return { file, bytes }
}

t.test('readers get all of it, early or late, from memory or from the disk', async (t) => {
  const directory = t.testdir({})
  for (const count of [0, 1, 10, 200]) {
    const { spool, turn } = spoolIn(t, new SpoolRoom(directory, 1e9))
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

t.test('a reader that comes and goes holds up nobody', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolRoom(t.testdir({}), 1e9))
  const leaving = spool.enter()
  const waiting = spool.next(leaving)
  const staying = text(spool)
  spool.leave(leaving)
  await fill(spool, 100, turn)
  t.ok((await staying) === wholeOf(100))
  ;(await waiting)?.release()
  t.equal(spool.readers, 0)
})

t.test('without room on the disk the source waits for the slowest reader', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolRoom(t.testdir({}), 3_000_000))
  const slow = spool.enter()
  const quick = text(spool)
  let isFilled = false
  const filling = fill(spool, 200, turn).then(() => (isFilled = true))
  const parts: Buffer[] = []
  for (;;) {
    const piece = await spool.next(slow)
    if (piece === undefined) break
    parts.push(Buffer.from(piece.bytes))
    piece.release()
    if (slow.position < 4_000_000) t.notOk(isFilled, 'the source waits', { diagnostic: false })
  }
  spool.leave(slow)
  await filling
  t.ok(Buffer.concat(parts).toString() === wholeOf(200))
  t.ok((await quick) === wholeOf(200))
  t.notOk(spool.isWhole, 'nobody else can begin')
})

t.test('the room is given back, and is for all together', async (t) => {
  const room = new SpoolRoom(t.testdir({}), 10_000_000)
  for (let round = 0; round < 3; round++) {
    const { spool, turn } = spoolIn(t, room)
    const reading = text(spool)
    await fill(spool, 100, turn)
    t.ok((await reading) === wholeOf(100))
    t.ok(spool.isWhole)
    const other = spoolIn(t, room)
    const passing = text(other.spool)
    await fill(other.spool, 100, other.turn)
    t.ok((await passing) === wholeOf(100))
    t.notOk(other.spool.isWhole)
    spool.close()
    other.spool.close()
    while (!room.take(10_000_000)) await new Promise((resolve) => setImmediate(resolve))
    room.give(10_000_000)
  }
})

t.test('a file that is done with is written over by the next', async (t) => {
  const room = new SpoolRoom(t.testdir({}), 20_000_000)
  const first = spoolIn(t, room)
  await fill(first.spool, 200, first.turn)
  const lot = await lastWritten(room, first.spool)
  const { spool, turn } = spoolIn(t, room)
  const [early] = await Promise.all([text(spool), fill(spool, 100, turn)])
  t.ok(early === wholeOf(100))
  t.ok((await text(spool)) === wholeOf(100), 'nothing of what was longer')
  const again = await lastWritten(room, spool)
  t.equal(again.file, lot.file)
  t.equal(again.bytes, lot.bytes, 'its room is still taken')
})

t.test('one spare file stays, the largest, for five minutes', async (t) => {
  const { later, turn } = clock()
  const room = new SpoolRoom(t.testdir({}), 1000, undefined, later)
  const [small, large, other] = await Promise.all([lotOf(room, 100), lotOf(room, 700), room.open()])
  await room.takeBack(small)
  await room.takeBack(large)
  await t.rejects(small.file.stat(), { code: 'EBADF' })
  await room.takeBack(other)
  await t.rejects(other.file.stat(), { code: 'EBADF' }, 'an empty one')
  await turn(299_999)
  const same = await room.open()
  t.equal(same.file, large.file)
  await room.takeBack(same)
  await turn(299_999)
  t.ok(await large.file.stat())
  await turn(1)
  await t.rejects(large.file.stat(), { code: 'EBADF' })
  t.ok(room.take(1000), 'all room is there again')
})

t.test('a spare file gives way to who needs its room, and to the end', async (t) => {
  const room = new SpoolRoom(t.testdir({}), 1000)
  const first = await lotOf(room, 700)
  await room.takeBack(first)
  t.ok(room.take(300), 'beside it')
  t.ok(await first.file.stat())
  t.ok(room.take(1), 'in its place')
  await t.rejects(first.file.stat(), { code: 'EBADF' })
  room.give(301)
  const second = await lotOf(room, 700)
  const third = await lotOf(room, 100)
  await room.takeBack(second)
  room.close()
  await t.rejects(second.file.stat(), { code: 'EBADF' })
  await room.takeBack(third)
  await t.rejects(third.file.stat(), { code: 'EBADF' }, 'none after the end')
})

t.test('a directory that cannot be written to is like a disk that is full', async (t) => {
  const { spool, turn } = spoolIn(t, new SpoolRoom('/nonexistent', 1e9))
  const reading = text(spool)
  await fill(spool, 100, turn)
  t.ok((await reading) === wholeOf(100))
  t.notOk(spool.isWhole)
})

t.test('an error comes after all that came before it', async (t) => {
  const spool = new Spool(new SpoolRoom(t.testdir({}), 1e9))
  spool.append(new Part(Buffer.from('some')))
  spool.finish(new Error('cut'))
  spool.finish()
  const place = spool.enter()
  t.equal(String((await spool.next(place))?.bytes), 'some')
  await t.rejects(spool.next(place), { message: 'cut' })
})

t.test('compressed it is the same, and the error comes behind what came', async (t) => {
  const room = new SpoolRoom(t.testdir({}), 1e9)
  const { spool, turn } = spoolIn(t, room)
  const packed = compressed(spool, room)
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

  const cut = new Spool(room)
  cut.append(new Part(Buffer.from('some')))
  cut.finish(new Error('cut'))
  const packedCut = compressed(cut, room)
  const place = packedCut.enter()
  const parts: Buffer[] = []
  await t.rejects(async () => {
    for (;;) parts.push((await packedCut.next(place))?.bytes ?? Buffer.alloc(0))
  }, /cut/)
  t.equal(gunzipSync(Buffer.concat(parts), { finishFlush: 2 }).toString(), 'some')
})
