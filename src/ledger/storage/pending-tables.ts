/** The ledger's pending work in its file: the queue, the doubts and the outbox. */
import { copyFileSync, existsSync, rmSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { type Doubt, doubtEnd, type DoubtReason } from '../doubt.js'
import type { News } from '../news.js'
import type { QueueEntry } from '../queue-entry.js'
import type { LedgerOperation } from './ledger-storage.js'
import { cidColumn, cidText, type Columns } from './row-columns.js'
import type { Statements } from './statements.js'

/** Changes of pending work. */
export type PendingOperation = Extract<
  LedgerOperation,
  { readonly kind: 'enqueue' | 'dequeue' | 'doubt' | 'settle' | 'news' | 'delivered' | 'gate' }
>

export class PendingTables {
  constructor(private readonly statements: Statements) {}

  /** Entries in the order in which the gate accepted them; it only counts damaged ones. */
  queue(): { readonly entries: readonly QueueEntry[]; readonly damaged: number } {
    const all = this.sql('SELECT entry, crc FROM queue ORDER BY seq').all().map(readEntry)
    const entries = all.filter((entry) => entry !== undefined)
    return { entries, damaged: all.length - entries.length }
  }

  doubts(): readonly Doubt[] {
    return this.sql('SELECT * FROM doubt ORDER BY due').all().map(doubtOf)
  }

  /**
   * Until when the CID is in doubt, in milliseconds since the epoch. 0: it waits in the queue,
   * where a rejected pin does not wait; undefined: neither.
   */
  openUntil(cid: string): number | undefined {
    const column = cidColumn(cid)
    const doubts = this.sql('SELECT * FROM doubt WHERE cid = ?').all(column).map(doubtOf)
    if (doubts.length > 0) return Math.max(...doubts.map(doubtEnd))
    const waiting = "SELECT 1 FROM queue WHERE entry ->> '$.rejection' IS NULL AND cid = ? LIMIT 1"
    return this.sql(waiting).get(column) && 0
  }

  /** Runs in a transaction, as all methods below. */
  write(operation: PendingOperation): void {
    switch (operation.kind) {
      case 'enqueue':
        this.enqueue(operation.entry)
        break
      case 'dequeue':
        this.sql('DELETE FROM queue WHERE seq = ?').run(operation.seq)
        break
      case 'doubt':
        this.doubt(operation.doubt)
        break
      case 'settle':
        this.settle(operation.cid, operation.reason)
        break
      case 'news':
        this.addNews(operation.news)
        break
      case 'delivered':
        this.removeNews(operation.gateId, operation.upTo)
        break
      case 'gate':
        this.gate(operation.gateId, operation.isForgotten)
        break
    }
  }

  private enqueue(entry: QueueEntry): void {
    const { seq, cid } = entry
    const text = JSON.stringify(entry)
    const query = 'INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?)'
    this.sql(query).run(seq, cidColumn(cid), text, crc32(text))
  }

  private doubt({ cid, reason, attempt, dueMs }: Doubt): void {
    const query = 'INSERT OR REPLACE INTO doubt VALUES (?, ?, ?, ?)'
    this.sql(query).run(cidColumn(cid), reason, attempt, Math.round(dueMs))
  }

  private settle(cid: string, reason: DoubtReason): void {
    this.sql('DELETE FROM doubt WHERE cid = ? AND reason = ?').run(cidColumn(cid), reason)
  }

  outbox(): readonly News[] {
    const rows = this.sql('SELECT news FROM outbox ORDER BY seq').all()
    return rows.map(({ news }) => JSON.parse(String(news)) as News)
  }

  private addNews(news: News): void {
    const query = 'INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)'
    this.sql(query).run(news.seq, news.to, JSON.stringify(news))
  }

  private removeNews(gateId: string, upTo: number): void {
    this.sql('DELETE FROM outbox WHERE gate = ? AND seq <= ?').run(gateId, upTo)
  }

  gates(): readonly string[] {
    return this.sql('SELECT id FROM gate ORDER BY id')
      .all()
      .map(({ id }) => String(id))
  }

  private gate(gateId: string, isForgotten: boolean): void {
    const query = isForgotten
      ? 'DELETE FROM gate WHERE id = ?'
      : 'INSERT OR REPLACE INTO gate VALUES (?)'
    this.sql(query).run(gateId)
  }

  settleAll(): void {
    this.sql('DELETE FROM doubt').run()
  }

  private sql(text: string) {
    return this.statements.sql(text)
  }
}

/**
 * Reads the queue of a damaged file that was set aside, as far as possible: each entry has its
 * own checksum.
 */
export function salvagedQueue(path: string): readonly QueueEntry[] {
  const entries: QueueEntry[] = []
  // Opening it would change the file, and a person may want to examine it as it is.
  const copy = `${path}.copy`
  try {
    for (const suffix of ['', '-wal'])
      if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
    const db = new DatabaseSync(copy)
    try {
      for (const columns of db.prepare('SELECT entry, crc FROM queue ORDER BY seq').iterate()) {
        const entry = readEntry(columns)
        if (entry !== undefined) entries.push(entry)
      }
    } finally {
      db.close()
    }
  } catch {
    // SQLite reads nothing beyond the damage.
  } finally {
    for (const suffix of ['', '-wal', '-shm']) rmSync(copy + suffix, { force: true })
  }
  return entries
}

/** Undefined: the entry is damaged. */
function readEntry({ entry, crc }: Columns): QueueEntry | undefined {
  const text = String(entry)
  if (crc32(text) !== crc) return undefined
  // JSON has null for Infinity.
  return JSON.parse(text, (_key, value: unknown) => value ?? Infinity) as QueueEntry
}

const doubtOf = (columns: Record<string, SQLOutputValue>): Doubt => ({
  cid: cidText(columns.cid),
  reason: String(columns.reason) as DoubtReason,
  attempt: Number(columns.attempt),
  dueMs: Number(columns.due),
})
