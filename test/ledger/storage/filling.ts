/** What happens to a ledger on a small disk that gets full; each scenario says what came of it. */
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { type LedgerDisk, openLedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import { setTimer } from '../../../src/time/clock.js'
import { cidOf, entryOf, rowOf, tombstoneOf } from './samples.js'

const [directory = '', scenario = ''] = process.argv.slice(2)
const filler = join(directory, 'filler')
const logged: [string, unknown][] = []

const say = (word: string, value: unknown): void => {
  writeSync(1, `${word} ${JSON.stringify(value)}\n`)
}

const open = (factor = 50): Promise<LedgerDisk> =>
  openLedgerDisk({
    directory,
    log: (_, fields, message) => {
      logged.push([message, 'reason' in fields ? fields.reason : null])
    },
    setTimer: (ms, call) => setTimer(ms / factor, call),
  })

/** Down to the last byte. */
function fill(): void {
  const handle = openSync(filler, 'w')
  let block = Buffer.alloc(1_048_576)
  while (block.length > 0)
    try {
      writeSync(handle, block)
    } catch {
      block = block.subarray(0, block.length >> 1)
    }
  closeSync(handle)
}

const faultOf = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    return await work()
  } catch (error) {
    return { ...(error as object), name: (error as Error).name, message: (error as Error).message }
  }
}

async function writableAgain(storage: LedgerDisk): Promise<boolean> {
  rmSync(filler)
  for (let count = 0; count < 200 && !storage.isWritable; count++) await delay(10)
  return storage.isWritable
}

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  fills: async () => {
    const storage = await open()
    const count = 1000
    for (let index = 0; index < count; index++)
      storage.note([{ kind: 'row', row: rowOf(cidOf(index), storage.nextSeq()) }])
    await storage.commit([])
    fill()
    const queued: number[] = []
    const refused = await faultOf(async () => {
      for (;;) {
        const seq = storage.nextSeq()
        await storage.commit([{ kind: 'enqueue', entry: entryOf(seq) }])
        queued.push(seq)
      }
    })
    say('refused', refused)
    say('writable', storage.isWritable)
    const released = new Map<number, number>()
    for (let index = 0; index < count; index++) {
      const seq = storage.nextSeq()
      await storage.commit([{ kind: 'row', row: tombstoneOf(cidOf(index), seq) }])
      released.set(index, seq)
    }
    say('released', released.size)
    storage.note([{ kind: 'row', row: rowOf(cidOf(count), storage.nextSeq()) }])
    await delay(50)
    say('noted', (await storage.newest(Infinity, 1))[0]?.cid === cidOf(count))
    say('writable-again', await writableAgain(storage))
    await storage.close()
    say('log', logged)
    const after = await open()
    const there = new Set(after.contents.queue.map(({ seq }) => seq))
    const rows = await Promise.all([...released.keys()].map((index) => after.row(cidOf(index))))
    const lost = rows.filter((row, index) => row?.seq !== released.get(index))
    say('lost', [...queued.filter((seq) => !there.has(seq)), ...lost])
    say('kept-back-again', existsSync(join(directory, 'ledger.reserve')))
    await after.close()
  },

  'starts-full': async () => {
    const before = await open()
    await before.commit([
      { kind: 'row', row: rowOf(cidOf(1), before.nextSeq()) },
      { kind: 'enqueue', entry: entryOf(2) },
    ])
    await before.close()
    rmSync(join(directory, 'ledger.reserve'))
    fill()
    const storage = await open()
    const { isWritable, contents } = storage
    const row = await storage.row(cidOf(1))
    say('start', { isWritable, entries: contents.queue.length, row })
    say('number', await faultOf(() => Promise.resolve().then(() => storage.nextSeq())))
    const enqueue = { kind: 'enqueue', entry: entryOf(9) } as const
    say('refused', await faultOf(() => storage.commit([enqueue])))
    storage.note([{ kind: 'row', row: rowOf(cidOf(2), 3) }])
    say('writable-again', await writableAgain(storage))
    await storage.close()
    say('log', logged)
    const after = await open()
    say('end', { isOrderly: after.contents.wasClosed, rows: (await after.newest(99, 9)).length })
    await after.close()
  },

  'begins-full': async () => {
    fill()
    const storage = await open()
    const { isWritable, contents, gateId } = storage
    const names = readdirSync(directory).sort()
    say('start', { isWritable, entries: contents.queue.length, names })
    const row = { kind: 'row', row: rowOf(cidOf(1), 1) } as const
    say('refused', await faultOf(() => storage.commit([row])))
    say('writable-again', await writableAgain(storage))
    await storage.commit([{ kind: 'row', row: rowOf(cidOf(1), storage.nextSeq()) }])
    await storage.close()
    const after = await open()
    say('gate', after.gateId === gateId)
    await after.close()
  },

  stalls: async () => {
    const before = await open()
    const seqs = Array.from({ length: 100_000 }, (_, index) => index + 1)
    await before.commit(seqs.map((seq) => ({ kind: 'enqueue', entry: entryOf(seq) })))
    await before.close()
    const storage = await open(5)
    say('entries', storage.contents.queue.length)
    rmSync(join(directory, 'ledger.reserve'))
    fill()
    const delays = monitorEventLoopDelay({ resolution: 1 })
    const until = performance.now() + 1500
    await delay(10)
    delays.enable()
    let acknowledged = 0
    const noted = new Map<string, number>()
    for (let turn = 0; performance.now() < until; turn++) {
      const asked = Array.from({ length: 10 }, (_, index) =>
        storage
          .commit([{ kind: 'enqueue', entry: entryOf(1_000_000 + turn * 10 + index) }])
          .then(() => acknowledged++)
          .catch(() => undefined),
      )
      for (let count = 0; count < 50; count++) {
        const [seq, cid] = [storage.nextSeq(), cidOf(200_000 + noted.size)]
        noted.set(cid, seq)
        storage.note([{ kind: 'row', row: rowOf(cid, seq) }])
      }
      await Promise.all([...asked, delay(5)])
    }
    delays.disable()
    const ms = (ns: number): number => Math.round(ns / 1e5) / 10
    const { mean, max } = delays
    say('delays', { mean: ms(mean), p99: ms(delays.percentile(99)), max: ms(max) })
    say('acknowledged', acknowledged)
    await writableAgain(storage)
    await storage.note([])
    const there = new Map((await storage.newest(Infinity, 1e6)).map(({ cid, seq }) => [cid, seq]))
    say('lost', [...noted].filter(([cid, seq]) => there.get(cid) !== seq).length)
    await storage.close()
  },
}

await scenarios[scenario]?.()
