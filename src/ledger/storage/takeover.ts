/**
 * Takes over what releases before the ledger kept in files of their own: `journal`, the pins
 * that were accepted with 202, and `last-writes`, what the gate had written last.
 *
 * Both files stay as they are, so that the release before can be installed again. That costs:
 * - of pins that this release accepted with 202 and had not yet written, it knows nothing: wait
 *   until the queue is empty;
 * - pins of the old journal that this release has written are written once more, each until the
 *   time that was asked for then: one that was unpinned meanwhile comes back. Remove `journal`
 *   before, unless this release wrote nothing;
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
  /** Undefined: there was none. */
  readonly journalDirectory: string | undefined
  /** Undefined: there was none. */
  readonly lastWritesDirectory: string | undefined
  /** Base URLs of the cluster: what was written to another is left. */
  readonly cluster: readonly string[]
  /** Undefined: the settings have no such key any more. */
  readonly keyOf: (encoder: string, keyId: string) => KeyIdentity | undefined
  readonly log: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface KeyIdentity {
  /** The leaseId of the encoder. */
  readonly holder: string
  readonly keyDigest: string
}

export interface TakenOver {
  readonly entries: readonly QueueEntry[]
  readonly rows: number
}

/**
 * All of it is in the ledger when this resolves, or nothing is, and the next start tries again.
 *
 * @throws LedgerFault the disk does not take it
 * @throws Error with a sentence, when a file is there and cannot be read
 */
export async function takeOver(parts: TakeoverParts): Promise<TakenOver> {
  const { storage, log, journalDirectory, lastWritesDirectory } = parts
  const files = (
    await Promise.all([
      stateOf(lastWritesDirectory, 'last-writes'),
      stateOf(journalDirectory, 'journal'),
    ])
  ).join()
  // The release before may have run once more since then: what it did is taken over again.
  if (storage.contents.takenOver === files) return { entries: [], rows: 0 }
  const writes = await readOld(lastWritesDirectory, 'last-writes')
  const journal = await readOld(journalDirectory, 'journal')
  await storage.reserveSeqs(writes.split('\n').length + journal.split('\n').length)
  // In the order of the writes: what waits in the journal is written after them.
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

/** Its size and when it was written; empty without a file. */
async function stateOf(directory: string | undefined, name: string): Promise<string> {
  if (directory === undefined) return ''
  const found = await stat(join(directory, name)).catch(() => undefined)
  return found === undefined ? '' : `${found.size} ${found.mtimeMs}`
}

/** @returns the empty text without a file */
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

/** As the older release wrote it. JSON knows no Infinity. */
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
  // What has no end was never acknowledged.
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
      // As the older release would have rejected it.
      ...(key === undefined && { rejection: 'key-revoked' }),
    }
  })
}

/** Undefined: it is not what was written. */
function journalLine(line: string): OldEntry | { readonly done: number } | undefined {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${crc32(json).toString(16).padStart(8, '0')} `) return undefined
  return JSON.parse(json) as OldEntry | { readonly done: number }
}

interface OldWrite {
  readonly cid: string
  readonly atMs: number
  /** As the cluster answered it; null: it was unpinned. */
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
      // The last one counts, in its place.
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

/** Undefined: what the cluster answered cannot be read, and the whole state has to tell. */
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
