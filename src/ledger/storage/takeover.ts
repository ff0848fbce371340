/**
 * Imports the files of releases without a ledger: `journal` has the pins that were accepted with
 * 202, `last-writes` the gate's last writes.
 *
 * Both files stay as they are, so that you can go back to such a release. That costs:
 * - the older release does not know pins that this one accepted with 202 and has not yet written:
 *   wait until the queue is empty;
 * - the older release writes the pins of its journal again, each with its original end: a pin that
 *   was unpinned meanwhile comes back. First remove `journal`, unless this release wrote nothing;
 * - `last-writes` is from the time of the upgrade, so that a power cut before the old release has
 *   run for a while takes some tens of pins from a cluster alone;
 * - leases keep their times, and lose their tokens with the next write to their pin.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readPinRecord } from '../../leases/pin-record.js'
import type { Logger } from '../../log/logger.js'
import type { QueueEntry } from '../queue-entry.js'
import type { LedgerRow } from '../row.js'
import type { LedgerDisk } from './ledger-disk.js'
import type { LedgerOperation } from './ledger-storage.js'

export interface TakeoverParts {
  readonly storage: LedgerDisk
  /** Undefined: no such file. */
  readonly journalDirectory: string | undefined
  /** Undefined: no such file. */
  readonly lastWritesDirectory: string | undefined
  /** Base URLs of the cluster; writes to another one are left out. */
  readonly cluster: readonly string[]
  /** Undefined: the settings no longer have the key. */
  readonly keyOf: (encoder: string, keyId: string) => KeyIdentity | undefined
  readonly log: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface KeyIdentity {
  /** The encoder's leaseId. */
  readonly holder: string
  readonly keyDigest: string
}

export interface TakenOver {
  readonly entries: readonly QueueEntry[]
  readonly rows: number
}

/**
 * Imports everything or nothing; after a failure the next start tries again.
 *
 * @throws LedgerFault if the disk is not writable
 * @throws Error with a sentence, if a file exists and cannot be read
 */
export async function takeOver(parts: TakeoverParts): Promise<TakenOver> {
  const { storage, log, journalDirectory, lastWritesDirectory } = parts
  const files = (
    await Promise.all([
      stateOf(lastWritesDirectory, 'last-writes'),
      stateOf(journalDirectory, 'journal'),
    ])
  ).join()
  // The older release may have run again since then, so its newer files are imported too.
  if (storage.contents.takenOver === files) return { entries: [], rows: 0 }
  const writes = await readOld(lastWritesDirectory, 'last-writes')
  const journal = await readOld(journalDirectory, 'journal')
  await storage.reserveSeqs(writes.split('\n').length + journal.split('\n').length)
  // In the order of the writes: the journal's pins are written after them.
  const rows = rowsOf(parts, writes)
  const entries = entriesOf(parts, journal)
  await storage.commit([
    ...rows,
    ...entries.map((entry): LedgerOperation => ({ kind: 'enqueue', entry })),
    { kind: 'taken-over', files },
  ])
  const count = rows.filter(({ kind }) => kind === 'row').length
  if (count + entries.length > 0)
    log('info', { rows: count, entries: entries.length }, 'took over the files of an older release')
  return { entries, rows: count }
}

/** Size and time of the file; empty without a file. */
async function stateOf(directory: string | undefined, name: string): Promise<string> {
  if (directory === undefined) return ''
  const found = await stat(join(directory, name)).catch(() => undefined)
  return found === undefined ? '' : `${found.size} ${found.mtimeMs}`
}

/** @returns an empty text without a file */
async function readOld(directory: string | undefined, name: string): Promise<string> {
  if (directory === undefined) return ''
  const path = join(directory, name)
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return ''
    const why = code === 'EACCES' ? 'this user may not read it' : String(error)
    throw new Error(`${path} of an older release cannot be taken over: ${why}`, { cause: error })
  }
}

/** The older release's form. JSON has no Infinity. */
interface OldEntry {
  readonly seq: number
  readonly atMs: number
  readonly cid: string
  readonly encoder: string
  readonly keyId: string
  readonly options: QueueEntry['options']
  readonly untilMs: number | null
  readonly requestId: string
}

function entriesOf({ storage, keyOf, log }: TakeoverParts, text: string): QueueEntry[] {
  const old = new Map<number, OldEntry>()
  const lines = text.split('\n')
  // A line without its end was never acknowledged.
  lines.pop()
  let damaged = 0
  lines.forEach((line, index) => {
    const value = journalLine(line)
    if (value === undefined) damaged += index === lines.length - 1 ? 0 : 1
    else if ('done' in value) old.delete(value.done)
    else old.set(value.seq, value)
  })
  if (damaged > 0)
    log('error', { damaged }, 'found damaged lines in the journal of an older release')
  return [...old.values()].map((entry) => {
    const key = keyOf(entry.encoder, entry.keyId)
    return {
      ...entry,
      seq: storage.nextSeq(),
      untilMs: entry.untilMs ?? Infinity,
      holder: key?.holder ?? '',
      keyDigest: key?.keyDigest ?? '',
      // The older release would have rejected it too.
      ...(key === undefined && { rejection: 'key-revoked' }),
    }
  })
}

/** Undefined: the entry is damaged. */
function journalLine(line: string): OldEntry | { readonly done: number } | undefined {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined
  return JSON.parse(json) as OldEntry | { readonly done: number }
}

interface OldWrite {
  readonly cid: string
  readonly atMs: number
  /** The cluster's answer; null: it was an unpin. */
  readonly text: string | null
  /** Whether the answer to a later write was lost. */
  readonly isUnsure: boolean
}

function rowsOf({ storage, cluster, log, now }: TakeoverParts, text: string): LedgerOperation[] {
  const [header = '', ...lines] = text.split('\n')
  if (header === '') return []
  if (header !== JSON.stringify({ cluster })) {
    log('info', {}, 'left out the last writes of an older release: they are of another cluster')
    return []
  }
  const writes = new Map<string, OldWrite>()
  for (const write of lines.map(writeLine))
    if (write !== undefined) {
      // The last write of a CID counts, in its place.
      writes.delete(write.cid)
      writes.set(write.cid, write)
    }
  return [...writes.values()].flatMap((write): LedgerOperation[] => {
    const row = rowOfWrite(write, storage)
    if (row === undefined) return []
    const { cid } = row
    const doubt = { cid, reason: 'unknown-outcome', attempt: 0, dueMs: now() } as const
    return [{ kind: 'row', row }, ...(write.isUnsure ? [{ kind: 'doubt', doubt } as const] : [])]
  })
}

function writeLine(line: string): OldWrite | undefined {
  try {
    const write = JSON.parse(line) as Partial<OldWrite> | null
    return typeof write?.cid === 'string' && typeof write.atMs === 'number'
      ? { isUnsure: false, text: null, ...write, cid: write.cid, atMs: write.atMs }
      : undefined
  } catch {
    return undefined
  }
}

/** Undefined: the answer is unreadable, and only a comparison can find the leases. */
function rowOfWrite({ cid, atMs, text }: OldWrite, storage: LedgerDisk): LedgerRow | undefined {
  const row = { cid, atMs, released: [] }
  if (text === null) {
    const gone = { isDirect: false, options: [], leases: [], former: [], expiresMs: Infinity }
    return { ...row, ...gone, seq: storage.nextSeq() }
  }
  try {
    const { isDirect, options, leases, former, expiresMs } = readPinRecord(text)
    return { ...row, isDirect, options, leases, former, expiresMs, seq: storage.nextSeq() }
  } catch {
    return undefined
  }
}
