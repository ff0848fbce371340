/** A full disk: real file systems that are full, and files that may not grow. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openLedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import { setTimer } from '../../../src/time/clock.js'
import { limitFiles } from '../../support/full-disk.js'
import { cidOf, directoryOf, entryOf, openLedger, rowOf, tombstoneOf } from './samples.js'

const program = fileURLToPath(new URL('filling.js', import.meta.url))

/** In a mount namespace of its own: nothing of it is left afterwards. */
const mounting = 'mount -t tmpfs -o "size=$1" ledger "$2" && shift 2 && exec "$@"'
const onTmpfs = (size: string, directory: string, ...command: string[]) => [
  ...['--mount', 'sh', '-c', mounting, 'sh', size, directory],
  ...command,
]

const noMounts =
  spawnSync('unshare', onTmpfs('1m', '/mnt', 'true')).status !== 0 &&
  'only root mounts a file system for a test'

/** @returns what the scenario said, as JSON, by its word */
async function onDisk(t: Test, scenario: string, size: string): Promise<Map<string, unknown>> {
  const directory = directoryOf(t)
  const args = onTmpfs(size, directory, process.execPath, program, directory, scenario)
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, errors] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  t.equal(errors, '')
  return new Map(
    out
      .trim()
      .split('\n')
      .map((line) => {
        const [word = '', ...json] = line.split(' ')
        return [word, JSON.parse(json.join(' ')) as unknown]
      }),
  )
}

const full = 'database or disk is full'
const messages = [
  ['could not write the ledger', full],
  ['wrote the ledger again', null],
]

t.test(
  'with a full disk releases work, and promises are refused',
  { skip: noMounts },
  async (t) => {
    const said = await onDisk(t, 'fills', '16m')
    t.match(said.get('refused'), { name: 'LedgerFault', reason: 'ledger-unavailable' })
    t.equal(said.get('writable'), false)
    t.equal(said.get('released'), 1000, 'out of the space that is kept back')
    t.equal(said.get('noted'), true)
    t.equal(said.get('writable-again'), true)
    t.same(said.get('log'), messages, 'once at its begin, and once at its end')
    t.same(said.get('lost'), [], 'what was acknowledged is there')
    t.same(said.get('kept-back-again'), true)
  },
)

t.test('with a disk that is full at the start, reads work', { skip: noMounts }, async (t) => {
  const said = await onDisk(t, 'starts-full', '16m')
  t.match(said.get('start'), { isWritable: false, entries: 1, row: { seq: 1 } })
  t.match(said.get('number'), { name: 'LedgerFault' })
  t.match(said.get('refused'), { name: 'LedgerFault' })
  t.equal(said.get('writable-again'), true)
  t.same(said.get('log'), messages)
  t.match(said.get('end'), { isOrderly: true, rows: 2 })
})

t.test('a disk smaller than the reserve recovers', { skip: noMounts }, async (t) => {
  const said = await onDisk(t, 'starts-full', '3m')
  t.match(said.get('start'), { isWritable: false, entries: 1 })
  t.equal(said.get('writable-again'), true)
  t.match(said.get('end'), { isOrderly: true, rows: 2 })
})

t.test('a new ledger on a full disk is made once there is room', { skip: noMounts }, async (t) => {
  const said = await onDisk(t, 'begins-full', '12m')
  t.match(said.get('start'), { isWritable: false, entries: 0, names: ['filler', 'ledger.db'] })
  t.match(said.get('refused'), { name: 'LedgerFault' })
  t.equal(said.get('writable-again'), true)
  t.same(said.get('gate'), true, 'its id is the one that was told')
})

t.test('100,000 entries and a full disk stall nothing', { skip: noMounts }, async (t) => {
  const said = await onDisk(t, 'stalls', '100m')
  t.equal(said.get('entries'), 100_000)
  t.comment(`event loop, in ms: ${JSON.stringify(said.get('delays'))}`)
  t.equal(said.get('acknowledged'), 0)
  t.equal(said.get('lost'), 0, 'what was noted meanwhile is there afterwards')
})

t.test('after a failed write nothing is acknowledged that is not there', async (t) => {
  const directory = directoryOf(t)
  const logged: string[] = []
  const storage = await openLedgerDisk({
    directory,
    log: (_, __, message) => {
      logged.push(message)
    },
    setTimer: (ms, call) => setTimer(ms / 50, call),
  })
  t.teardown(() => storage.close())
  await storage.commit([{ kind: 'row', row: rowOf(cidOf(1), storage.nextSeq()) }])
  const acknowledged = new Map<number, string>([[1, cidOf(1)]])
  limitFiles(32_768)
  t.teardown(() => {
    limitFiles('unlimited')
  })
  let failures = 0
  for (let index = 2; failures < 5; index++) {
    const seq = storage.nextSeq()
    const cid = cidOf(index)
    const release = { kind: 'row', row: tombstoneOf(cid, seq) } as const
    await storage.commit([release, { kind: 'enqueue', entry: entryOf(seq, cid) }]).then(
      () => acknowledged.set(seq, cid),
      () => failures++,
    )
  }
  t.notOk(storage.isWritable)
  const noted = Array.from({ length: 2000 }, (_, index) =>
    rowOf(cidOf(10_000 + index), storage.nextSeq()),
  )
  for (const row of noted) storage.note([{ kind: 'row', row }])
  limitFiles('unlimited')
  const after = storage.nextSeq()
  await storage.commit([{ kind: 'row', row: tombstoneOf(cidOf(10_001), after) }])
  await storage.close()
  t.same(logged, ['could not write the ledger', 'wrote the ledger again'])
  const reopened = await openLedger(t, directory)
  const queue = new Set(reopened.storage.contents.queue.map(({ seq }) => seq))
  t.same(
    [...acknowledged.keys()].filter((seq) => seq !== 1 && !queue.has(seq)),
    [],
  )
  const rows = await Promise.all(noted.map(({ cid }) => reopened.storage.row(cid)))
  t.same(
    rows.map((row) => row?.seq),
    noted.map(({ seq }, index) => (index === 1 ? after : seq)),
    'what was noted is there, and nothing older than a later commit',
  )
  t.match(reopened.storage.contents, { wasClosed: true })
})
