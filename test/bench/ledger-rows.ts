/**
 * What a ledger of so many rows costs: on the disk, in memory and in time. Nothing is asserted.
 *
 *     node dist/test/bench/ledger-rows.js [ROWS]
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { type LedgerDisk, openLedgerDisk } from '../../src/ledger/storage/ledger-disk.js'
import { base32Cid, rowOf } from '../ledger/storage/samples.js'

const [, , first = '317506', directoryOfBefore] = process.argv
const count = Number(first)
const directory = directoryOfBefore ?? mkdtempSync(join(tmpdir(), 'pinwarden-rows-'))

const say = (what: string, value: string): void => {
  process.stdout.write(`${what.padEnd(44)}${value}\n`)
}

const open = (): Promise<LedgerDisk> =>
  openLedgerDisk({
    directory,
    log: (_, fields, message) => {
      say(message, JSON.stringify(fields))
    },
  })

const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  const since = performance.now()
  const result = await work()
  const ms = performance.now() - since
  say(what, `${ms.toFixed()} ms, event loop at most ${(delays.max / 1e6).toFixed()} ms late`)
  return result
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

function lineOf(index: number): string {
  const metadata = { 'pinwarden.lease.k3v9abcdefgh': '20260101T000000Z/../abcd1234.123456' }
  return JSON.stringify({
    ...{ cid: base32Cid(index), name: '', type: 'pin', mode: 'recursive', shard_size: 0 },
    ...{ replication_factor_min: -1, replication_factor_max: -1, origins: null, allocations: [] },
    ...{ expire_at: '0001-01-01T00:00:00Z', metadata, timestamp: '2026-01-01T00:00:00Z' },
  })
}

async function fill(): Promise<void> {
  const storage = await open()
  await timed('a first comparison', async () => {
    const comparison = await storage.compare(() => undefined)
    for (let at = 0; at < count; at += 1000)
      await comparison.see(Array.from({ length: 1000 }, (_, index) => lineOf(at + index)))
    say('compared', JSON.stringify(await comparison.end()))
  })
  await timed('the same comparison once more', async () => {
    const comparison = await storage.compare(() => undefined)
    for (let at = 0; at < count; at += 1000)
      await comparison.see(Array.from({ length: 1000 }, (_, index) => lineOf(at + index)))
    say('compared', JSON.stringify(await comparison.end()))
  })
  await timed('10,000 rows, each written again', async () => {
    const rows = Array.from({ length: 10_000 }, (_, index) =>
      rowOf(base32Cid((index * 31) % count), storage.nextSeq()),
    )
    await Promise.all(rows.map((row) => storage.commit([{ kind: 'row', row }])))
  })
  await timed('1,000 commits, one after the other', async () => {
    for (let index = 0; index < 1000; index++) {
      const row = rowOf(base32Cid((index * 317) % count), storage.nextSeq())
      await storage.commit([{ kind: 'row', row }])
    }
  })
  await timed('a page of 100 in the middle', () =>
    storage.held('k3v9abcdefgh', base32Cid(count >> 1), 100),
  )
  await timed('check', () => storage.check())
  await timed('backup', () => storage.backUp(join(directory, 'backup.db')))
  rmSync(join(directory, 'backup.db'))
  await storage.close()
  for (const name of readdirSync(directory))
    say(name, megabytes(statSync(join(directory, name)).size))
}

if (directoryOfBefore === undefined) {
  await fill()
  spawnSync(process.execPath, [fileURLToPath(import.meta.url), first, directory], {
    stdio: 'inherit',
  })
  rmSync(directory, { recursive: true })
} else {
  const before = process.memoryUsage.rss()
  const storage = await timed('a start', open)
  say('memory more than before', megabytes(process.memoryUsage.rss() - before))
  await timed('the newest 1,000 rows', () => storage.newest(Infinity, 1000))
  say('memory more than before', megabytes(process.memoryUsage.rss() - before))
  await storage.close()
}
