/** Rows, entries and directories for the tests of the ledger's storage. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { base32 } from 'multiformats/bases/base32'
import type { Test } from 'tap'
import type { QueueEntry } from '../../../src/ledger/queue-entry.js'
import type { LedgerRow } from '../../../src/ledger/row.js'
import { type LedgerDisk, openLedgerDisk } from '../../../src/ledger/storage/ledger-disk.js'
import type { TokenLease } from '../../../src/ledger/storage/row-columns.js'
import type { Logger } from '../../../src/log/logger.js'
import { generatedCid } from '../../support/fake-cluster/state.js'

export const cidOf = generatedCid

export const defaultOptions = [
  ['replication-min', '-1'],
  ['replication-max', '-1'],
] as const

export const leaseOf = (holder: string, seq: number, untilMs = Infinity): TokenLease => ({
  holder,
  sinceMs: 1_700_000_000_000,
  untilMs,
  token: `abcd1234.${seq}`,
})

export const rowOf = (cid: string, seq: number, row: Partial<LedgerRow> = {}): LedgerRow => ({
  cid,
  seq,
  atMs: 1_700_000_000_000,
  isDirect: false,
  options: defaultOptions,
  leases: [leaseOf('alpha', seq)],
  former: [],
  expiresMs: Infinity,
  released: [],
  ...row,
})

/** Of a DELETE by the last holder. */
export const tombstoneOf = (cid: string, seq: number, row: Partial<LedgerRow> = {}): LedgerRow =>
  rowOf(cid, seq, {
    leases: [],
    released: [{ holder: 'alpha', token: `abcd1234.${seq - 1}`, seq }],
    ...row,
  })

export const entryOf = (seq: number, cid = cidOf(seq)): QueueEntry => ({
  seq,
  cid,
  atMs: 1_700_000_000_000,
  holder: 'alpha',
  keyDigest: 'd'.repeat(64),
  encoder: 'encoder-alpha',
  keyId: 'k1',
  options: [['name', 'video']],
  untilMs: Infinity,
  requestId: 'r1',
})

export function directoryOf(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'pinwarden-ledger-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

export interface Logged {
  readonly level: string
  readonly message: string
  readonly fields: object
}

export interface OpenedLedger {
  readonly storage: LedgerDisk
  readonly logged: readonly Logged[]
}

/** Closed with the test; timers that the storage sets run at once, where the test says so. */
export async function openLedger(t: Test, directory: string): Promise<OpenedLedger> {
  const logged: Logged[] = []
  const log: Logger = (level, fields, message) => {
    logged.push({ level, message, fields })
  }
  const storage = await openLedgerDisk({ directory, log })
  t.teardown(() => storage.close())
  return { storage, logged }
}

/** Of version 1, as new ones are; spread over all of the index. */
export function base32Cid(index: number): string {
  const digest = createHash('sha256').update(String(index)).digest()
  return base32.encode(Buffer.concat([Buffer.from([1, 0x55, 0x12, 0x20]), digest]))
}
