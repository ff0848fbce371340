/** A process that commits until it is killed, and tells what was acknowledged. */
import { writeSync } from 'node:fs'
import { openLedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import { cidOf, entryOf, rowOf, tombstoneOf } from './samples.js'

const [directory = ''] = process.argv.slice(2)

const pause = new Int32Array(new SharedArrayBuffer(4))

/** Not lost with the process, also where the reader is slow. */
function say(...words: (string | number)[]): void {
  let rest = Buffer.from(`${words.join(' ')}\n`)
  while (rest.length > 0)
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(pause, 0, 0, 1)
    }
}

try {
  const storage = await openLedgerDisk({
    directory,
    log: (level, fields, message) => {
      say('log', level, message, JSON.stringify(fields))
    },
  })
  say('open', storage.gateId)
  const client = async (name: number): Promise<never> => {
    for (;;) {
      const [one, two, three] = [storage.nextSeq(), storage.nextSeq(), storage.nextSeq()]
      say('seq', one)
      say('seq', two)
      say('seq', three)
      storage.note([{ kind: 'row', row: rowOf(cidOf(one), one) }])
      await storage.commit([{ kind: 'enqueue', entry: entryOf(two) }])
      say('queued', two)
      // What was noted of this CID is older.
      await storage.commit([{ kind: 'row', row: tombstoneOf(cidOf(one), three) }])
      say('released', one, three)
      if (name === 0) storage.note([{ kind: 'dequeue', seq: two }])
      if (name === 0) say('dequeued', two)
    }
  }
  await Promise.all([0, 1, 2, 3].map(client))
} catch (error) {
  say('error', error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
