/** A database with its prepared statements, and transactions that report disk faults. */
import { statSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { asDiskFault, DiskFault } from './disk-fault.js'
import { inMemory } from './open-database.js'

export class Statements {
  private readonly prepared = new Map<string, StatementSync>()
  private readonly inodes: Inodes

  constructor(
    readonly db: DatabaseSync,
    private readonly path: string,
  ) {
    this.inodes = this.readInodes()
  }

  get isInMemory(): boolean {
    return this.path === inMemory
  }

  /**
   * Whether another file, or none, has the path of the ledger or of its log now: no later start
   * would find what is written here.
   */
  get isReplaced(): boolean {
    const now = this.readInodes()
    return now.some((inode, index) => inode !== this.inodes[index])
  }

  get replacedText(): string {
    return `${this.path} was removed or replaced while it was open`
  }

  sql(text: string): StatementSync {
    const known = this.prepared.get(text)
    if (known !== undefined) return known
    const statement = this.db.prepare(text)
    this.prepared.set(text, statement)
    return statement
  }

  /** The column `n` of the only row. */
  number(text: string, ...values: (string | number)[]): number {
    return Number(this.sql(text).get(...values)?.n)
  }

  meta(key: string): string | number | undefined {
    const value = this.sql('SELECT value FROM meta WHERE key = ?').get(key)?.value
    return typeof value === 'string' || typeof value === 'number' ? value : undefined
  }

  setMeta(key: string, value: string | number): void {
    this.sql('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(key, value)
  }

  /** Returns when the work is on the disk; else keeps nothing of it. @throws DiskFault */
  transaction<T>(work: () => T): T {
    try {
      // SQLite would continue with a file that no later start finds.
      if (this.isReplaced) throw new DiskFault(new Error(this.replacedText))
      this.db.exec('BEGIN IMMEDIATE')
      const result = work()
      this.db.exec('COMMIT')
      return result
    } catch (error) {
      this.rollBack()
      throw asDiskFault(error)
    }
  }

  private rollBack(): void {
    try {
      if (this.db.isTransaction) this.db.exec('ROLLBACK')
    } catch {
      // SQLite itself has rolled back a failed write.
    }
  }

  private readInodes(): Inodes {
    if (this.isInMemory) return []
    return [this.path, `${this.path}-wal`].map((path) => statSync(path, noThrow)?.ino)
  }
}

type Inodes = readonly (number | undefined)[]

const noThrow = { throwIfNoEntry: false } as const
