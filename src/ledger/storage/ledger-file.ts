/** The ledger in SQLite, for one thread: each change is on the disk, or was not applied. */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { KnownCluster } from '../cluster-port.js'
import { asDiskFault, DiskFault, NoFileYet } from './disk-fault.js'
import type { LedgerCheck } from './figures.js'
import { knownVersion, migrate, versionOf } from './ledger-schema.js'
import type { LedgerContents, LedgerOperation, PendingWalks } from './ledger-storage.js'
import { inMemory, openDatabase } from './open-database.js'
import { PendingTables, salvagedQueue } from './pending-tables.js'
import { RowTable } from './row-table.js'
import { Statements } from './statements.js'

export interface LedgerFileOptions {
  /** Path of the file, in a directory of its own; `:memory:` keeps no file. */
  readonly path: string
  /** Id of a new ledger; undefined: random. */
  readonly gateId?: string | undefined
  readonly now?: () => number
  /** False: a damaged file stays in place, unopened. */
  readonly setsAside?: boolean
}

export class LedgerFile {
  readonly rows: RowTable
  readonly pending: PendingTables
  /** The gate's id in the tokens of this ledger. */
  gateId: string
  /** What the previous run left. */
  readonly contents: LedgerContents
  /** Path of the damaged ledger that was set aside. */
  readonly setAside: string | undefined
  /** Damaged entries of the queue: they stay in the file, and are never replayed. */
  damagedEntries = 0
  private isBegun = false
  /** Whether there was none. */
  isNew = false
  private readonly isVolatile: boolean
  private readonly now: () => number
  /** The last row that the recount has reached. */
  private recountAfter = 0
  private readonly statements: Statements

  /**
   * @throws Error with a sentence, if the file cannot be opened
   * @throws LedgerInUse, DamagedLedger
   * @throws NoFileYet
   */
  constructor(options: LedgerFileOptions) {
    const { path, gateId = newGateId(), now = () => Date.now() } = options
    const { db, setAside } = openDatabase(path, options.setsAside)
    this.setAside = setAside
    this.isVolatile = path === inMemory
    this.statements = new Statements(db, path)
    this.rows = new RowTable(this.statements, now)
    this.now = now
    this.pending = new PendingTables(this.statements)
    try {
      this.make(gateId, setAside)
      if (setAside !== undefined) this.salvage(setAside)
      this.gateId = String(this.statements.meta('gateId'))
      this.contents = this.readContents()
    } catch (error) {
      db.close()
      throw error
    }
  }

  /** For a backup, which copies it page by page while it is in use. */
  get database(): DatabaseSync {
    return this.statements.db
  }

  /** Applies all operations or none. @throws DiskFault */
  apply(operations: readonly LedgerOperation[]): void {
    this.change(() => {
      for (const operation of operations) this.write(operation)
    })
  }

  /** Writes something, to learn whether the disk is writable. @throws DiskFault */
  probe(): void {
    this.change(() => {
      this.statements.setMeta('probed', this.now())
    })
  }

  /**
   * Moves committed pages into the main file, so that SQLite reuses the space of the log.
   *
   * @throws DiskFault
   */
  makeRoom(): void {
    try {
      this.sql('PRAGMA wal_checkpoint(RESTART)').get()
    } catch (error) {
      throw asDiskFault(error)
    }
  }

  /** @returns the first of a range of numbers that were never given out @throws DiskFault */
  reserve(count: number): number {
    return this.change(() => {
      const reserved = Number(this.statements.meta('reserved') ?? 1)
      // Writes after a backup used its next numbers, but fewer than a thousand each second.
      const isCopy = this.statements.meta('copy') === 1
      const from = isCopy ? Math.max(reserved, this.now()) : reserved
      this.statements.setMeta('reserved', from + count)
      return from
    })
  }

  /** Notes that a comparison saw the cluster's whole state. @throws DiskFault */
  compared(atMs: number): void {
    this.change(() => {
      this.statements.setMeta('compared', atMs)
      this.statements.setMeta('incomplete', 0)
    })
  }

  /**
   * Takes expired leases out of the counts, and deletes rows that are over.
   *
   * @returns whether more work is left for now
   * @throws DiskFault
   */
  maintain(count = 500): boolean {
    const nowMs = this.now()
    // Before the clock was put back, valid leases left the counts as expired.
    if (nowMs < Number(this.statements.meta('aged') ?? -Infinity)) return this.recount(nowMs, count)
    this.recountAfter = 0
    const due = this.rows.due(count)
    if (due.length === 0) return false
    this.change(() => {
      this.rows.age(due)
      this.statements.setMeta('aged', nowMs)
    })
    return due.length === count
  }

  private recount(nowMs: number, count: number): boolean {
    this.change(() => {
      const last = this.rows.recount(this.recountAfter, count)
      this.recountAfter = last ?? 0
      if (last === undefined) this.statements.setMeta('aged', nowMs)
    })
    return true
  }

  /** Reads the whole file. */
  check(): LedgerCheck {
    const findings = this.sql('PRAGMA integrity_check(20)').all()
    const countOf = (table: string) => this.statements.number(`SELECT count(*) AS n FROM ${table}`)
    const problems = findings.map((each) => String(each.integrity_check))
    const { entries, damaged } = this.pending.queue()
    if (this.statements.isReplaced) problems.push(this.statements.replacedText)
    if (damaged > 0) problems.push(`${damaged} pins that wait cannot be read`)
    if (this.rows.damaged > 0) problems.push(`${this.rows.damaged} rows cannot be read`)
    const rejected = entries.filter(({ rejection }) => rejection !== undefined).length
    return {
      problems: problems.filter((it) => it !== 'ok'),
      gateId: this.gateId,
      isCopy: this.statements.meta('copy') === 1,
      rows: countOf('pin'),
      leases: countOf('held'),
      queue: entries.length - rejected,
      rejected,
      doubts: countOf('doubt'),
      reported: this.rows.reported(),
      bytes: this.bytes,
    }
  }

  get bytes(): number {
    const pragma = (name: string) => Number(this.sql(`PRAGMA ${name}`).get()?.[name])
    return pragma('page_count') * pragma('page_size')
  }

  /** Marks a backup: the next gate that opens it makes no repairs. */
  markCopy(): void {
    this.statements.transaction(() => {
      this.statements.setMeta('copy', 1)
    })
  }

  /**
   * Makes a copy the ledger, under a new id: after a step of the clock, this ledger could use
   * tokens of later writes again. Leases that the backup owes may have been released since, so its
   * rows only count as seen, and the operator decides on queued pins.
   *
   * @returns the id
   */
  trust(): string {
    const gateId = newGateId()
    this.statements.transaction(() => {
      this.statements.setMeta('gateId', gateId)
      this.statements.setMeta('copy', 0)
      this.onlySeen()
      for (const entry of this.contents.queue)
        this.write({ kind: 'enqueue', entry: { ...entry, rejection: 'ledger-restored' } })
    })
    this.gateId = gateId
    return gateId
  }

  /** @param nextSeq the first unused number; undefined: not a clean shutdown */
  close(nextSeq?: number): void {
    try {
      if (this.isBegun && nextSeq !== undefined)
        this.statements.transaction(() => {
          this.statements.setMeta('reserved', nextSeq)
          this.statements.setMeta('closed', 1)
        })
    } finally {
      this.database.close()
    }
  }

  /** The first change of a run marks the run as begun. */
  private change<T>(work: () => T): T {
    this.rows.forgetChanges()
    const result = this.statements.transaction(() => {
      if (!this.isBegun) {
        if (this.isIncomplete()) this.statements.setMeta('incomplete', 1)
        this.statements.setMeta('closed', 0)
        this.statements.setMeta('bootId', bootId())
      }
      const done = work()
      this.rows.addUp()
      return done
    })
    this.isBegun = true
    return result
  }

  private make(gateId: string, setAside: string | undefined): void {
    const version = versionOf(this.database)
    const isNew = version === 0 || this.statements.meta('gateId') === undefined
    this.isNew = isNew && !this.statements.isInMemory
    try {
      if (version < knownVersion) migrate(this.database)
      if (isNew) this.statements.setMeta('gateId', gateId)
    } catch (error) {
      const fault = asDiskFault(error)
      throw isNew && fault instanceof DiskFault ? new NoFileYet(error, setAside) : fault
    }
  }

  /** Queued pins are promises, so they move from the damaged file, under new numbers. */
  private salvage(setAside: string): void {
    const entries = salvagedQueue(setAside)
    if (entries.length === 0) return
    const from = this.reserve(entries.length)
    const moved = entries.map((entry, index) => ({ ...entry, seq: from + index }))
    this.apply(moved.map((entry) => ({ kind: 'enqueue', entry })))
  }

  private isIncomplete(): boolean {
    const { statements, setAside, isNew } = this
    const wasKilled = statements.meta('closed') === 0
    return isNew || setAside !== undefined || wasKilled || statements.meta('incomplete') === 1
  }

  private readContents(): LedgerContents {
    const { statements, rows, pending } = this
    const queue = pending.queue()
    this.damagedEntries = queue.damaged
    const compared = statements.meta('compared')
    const before = statements.meta('bootId')
    return {
      queue: queue.entries,
      doubts: pending.doubts(),
      outbox: pending.outbox(),
      gates: pending.gates(),
      isVolatile: this.isVolatile,
      counts: rows.counts(),
      lastRow: rows.newestSeq,
      comparedMs: compared === undefined ? undefined : Number(compared),
      isIncomplete: this.isIncomplete(),
      wasClosed: statements.meta('closed') !== 0,
      isRebooted: before !== undefined && before !== bootId(),
      isCopy: statements.meta('copy') === 1,
      takenOver: textIn(statements.meta('takenOver')),
      cluster: jsonIn(statements.meta('cluster')) as KnownCluster | undefined,
      walks: jsonIn(statements.meta('walks')) as PendingWalks | undefined,
    }
  }

  private write(operation: LedgerOperation): void {
    switch (operation.kind) {
      case 'row':
        this.rows.write(operation.row)
        break
      case 'name':
        this.rows.name(operation.holder, operation.name)
        break
      case 'taken-over':
        this.statements.setMeta('takenOver', operation.files)
        break
      case 'cluster':
        this.statements.setMeta('cluster', JSON.stringify(operation.cluster))
        if (operation.isAnother) this.onlySeen()
        break
      case 'walks':
        this.statements.setMeta('walks', JSON.stringify(operation.walks))
        break
      case 'enqueue':
      case 'dequeue':
      case 'doubt':
      case 'settle':
      case 'news':
      case 'delivered':
      case 'gate':
        this.pending.write(operation)
    }
  }

  /** Rows that no crash of the cluster can have lost; walks skip them. */
  private onlySeen(): void {
    this.sql("DELETE FROM meta WHERE key = 'compared'").run()
    this.pending.settleAll()
    this.sql('UPDATE pin SET seq = -1').run()
  }

  private sql(text: string) {
    return this.statements.sql(text)
  }
}

const digits = '0123456789abcdefghijklmnopqrstuvwxyz'

export const newGateId = (): string =>
  Array.from({ length: 8 }, () => digits.charAt(randomInt(digits.length))).join('')

/** The kernel's boot id, which changes with each start of the machine; empty if it has none. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

const textIn = (meta: string | number | undefined): string | undefined =>
  typeof meta === 'string' ? meta : undefined

const jsonIn = (meta: string | number | undefined): unknown =>
  typeof meta === 'string' ? JSON.parse(meta) : undefined
