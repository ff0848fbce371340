/** The rows of the ledger, with holders and their numbers of pins. */
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { dayMs, minuteMs } from '../../time/units.js'
import { type LedgerRow, type Released, rowVersion, withReleased } from '../row.js'
import {
  cidColumn,
  cidText,
  columnNames,
  type Columns,
  columnsOf,
  dueOf,
  isOver,
  readLeases,
  releasedIn,
  rowOf,
} from './row-columns.js'
import type { Statements } from './statements.js'

const values = `?${', ?'.repeat(columnNames.length)}`
const insert = `
  INSERT INTO pin (cid, ${columnNames.join(', ')}) VALUES (${values}) ON CONFLICT (cid) DO NOTHING`
const update = `UPDATE pin SET ${columnNames.map((name) => `${name} = ?`).join(', ')} WHERE id = ?`

/** Rows without a lease that stay, as a killed cluster may bring their pins back. */
const tombstonesMin = 10_000

/**
 * Rows with a valid lease. Only a row that is due within a day can have expired and still be there;
 * of those the ends are read, as the gate deletes a row a day after its end.
 */
const countOwed = `SELECT count(*) AS n FROM pin
  WHERE leases IS NOT NULL AND (due IS NULL OR due > :now + ${2 * dayMs} OR EXISTS (
    SELECT 1 FROM json_each(iif(json_valid(leases), leases, '[]'))
    WHERE coalesce(value ->> 2, 1e12) * 1000 > :now))`

/** Counting this many rows takes about a millisecond. */
const quicklyCounted = 10_000

/** A row that was changed outside the gate, for a plan. */
export interface ReportedRow {
  readonly cid: string
  readonly version: string
  /** Holders of its leases by the ledger. */
  readonly holders: readonly string[]
}

export class RowTable {
  private readonly holderIds = new Map<string, number>()
  private readonly changed = new Set<string>()
  /** Changed counts of the current transaction, by the holder's number. */
  private readonly differences = new KeyedCounter<number>()
  private owedCount = 0
  private countedMs = -Infinity

  constructor(
    private readonly statements: Statements,
    private readonly now: () => number,
  ) {}

  /** Runs in a transaction. */
  write(row: LedgerRow): void {
    const now = this.now()
    const cid = cidColumn(row.cid)
    const live = new Set<string>()
    for (const { holder, untilMs } of row.leases) if (untilMs > now) live.add(holder)
    // Most rows are new.
    const { changes, lastInsertRowid } = this.sql(insert).run(cid, ...columnsOf(row, now))
    const pin = changes === 0 ? this.replace(cid, row, live) : Number(lastInsertRowid)
    for (const holder of live) this.hold(holder, pin)
  }

  private replace(cid: Uint8Array | string, row: LedgerRow, live: ReadonlySet<string>): number {
    const old = this.sql('SELECT id, leases, released FROM pin WHERE cid = ?').get(cid) ?? {}
    const pin = Number(old.id)
    const whole = withReleased(row, releasedBefore(old))
    this.sql(update).run(...columnsOf(whole, this.now()), pin)
    for (const holder of this.holdersIn(old, pin)) if (!live.has(holder)) this.unhold(holder, pin)
    return pin
  }

  /** Writes each holder's number of pins once, at the end of a transaction. */
  addUp(): void {
    const query = this.sql('UPDATE holder SET pins = pins + ? WHERE id = ?')
    for (const [id, difference] of this.differences) query.run(difference, id)
    this.differences.clear()
  }

  /** Drops the counts of a transaction that was rolled back. */
  forgetChanges(): void {
    this.differences.clear()
  }

  row(cid: string): LedgerRow | undefined {
    const columns = this.sql('SELECT * FROM pin WHERE cid = ?').get(cidColumn(cid))
    return columns && read(columns)
  }

  /** CIDs of rows, in the order of their ids. @param after last id of the previous page */
  cids(after: number, count: number): readonly { readonly id: number; readonly cid: string }[] {
    return this.sql('SELECT id, cid FROM pin WHERE id > ? ORDER BY id LIMIT ?')
      .all(after, count)
      .map(({ id, cid }) => ({ id: Number(id), cid: cidText(cid) }))
  }

  newest(before: number, count: number): readonly LedgerRow[] {
    return this.sql('SELECT * FROM pin WHERE seq > 0 AND seq < ? ORDER BY seq DESC LIMIT ?')
      .all(Math.min(before, Number.MAX_SAFE_INTEGER), count)
      .flatMap((columns) => read(columns) ?? [])
  }

  get newestSeq(): number {
    return this.statements.number('SELECT coalesce(max(seq), 0) AS n FROM pin WHERE seq > 0')
  }

  held(holder: string, after: string | undefined, count: number): readonly string[] {
    const id = this.idOfHolder(holder)
    if (id === undefined) return []
    const from = after === undefined ? 0 : this.idOf(after)
    // A deleted row had no lease for a day, so no page follows it.
    if (from === undefined) return []
    const query = `SELECT cid FROM held JOIN pin ON pin.id = held.pin
      WHERE holder = ? AND held.pin > ? ORDER BY held.pin LIMIT ?`
    return this.sql(query)
      .all(id, from, count)
      .map(({ cid }) => cidText(cid))
  }

  count(holder: string): number {
    const id = this.idOfHolder(holder)
    return id === undefined
      ? 0
      : this.statements.number('SELECT pins AS n FROM holder WHERE id = ?', id)
  }

  counts(): ReadonlyMap<string, number> {
    const rows = this.sql('SELECT holder, pins FROM holder WHERE pins > 0').all()
    return new Map(rows.map(({ holder, pins }) => [String(holder), Number(pins)]))
  }

  /** Counts that may have changed since the last call, by holder. */
  takeChanges(): ReadonlyMap<string, number> {
    const changes = new Map([...this.changed].map((holder) => [holder, this.count(holder)]))
    this.changed.clear()
    return changes
  }

  /** Number of rows that cannot be read: the gate knows nothing of their CIDs. */
  get damaged(): number {
    const isWhole = (name: string): string => `json_valid(coalesce(${name}, '[]'))`
    const all = ['options', 'leases', 'former', 'released'].map(isWhole).join(' AND ')
    return this.statements.number(`SELECT count(*) AS n FROM pin WHERE NOT (${all})`)
  }

  /** Number of rows with a valid lease; of many rows up to a minute old, as counting reads all. */
  owed(): number {
    const now = this.now()
    const isRecent = Math.abs(now - this.countedMs) < minuteMs
    if (isRecent && this.owedCount > quicklyCounted) return this.owedCount
    this.countedMs = now
    this.owedCount = Number(this.sql(countOwed).get({ now })?.n)
    return this.owedCount
  }

  reported(): { readonly missing: number; readonly unexpected: number } {
    const of = (report: string): number =>
      this.statements.number('SELECT count(*) AS n FROM pin WHERE report = ?', report)
    return { missing: of('missing'), unexpected: of('unexpected') }
  }

  /**
   * Rows that were changed outside the gate, in a stable order.
   * @param after last CID of the previous page
   */
  reportedPage(report: string, after: string | undefined, count: number): readonly ReportedRow[] {
    const from = after === undefined ? 0 : this.idOf(after)
    if (from === undefined) return []
    return this.sql('SELECT * FROM pin WHERE report = ? AND id > ? ORDER BY id LIMIT ?')
      .all(report, from, count)
      .flatMap((columns) => {
        const row = read(columns)
        if (row === undefined) return []
        const holders = row.leases.map(({ holder }) => holder)
        return [{ cid: row.cid, version: rowVersion(row), holders }]
      })
  }

  /** Runs in a transaction. @param name empty: the holder has lost it */
  name(holder: string, name: string): void {
    this.sql(
      `INSERT INTO holder (holder, name) VALUES (?, ?)
        ON CONFLICT (holder) DO UPDATE SET name = excluded.name`,
    ).run(holder, name === '' ? null : name)
  }

  /** The last known names, by holder. */
  names(): ReadonlyMap<string, string> {
    const rows = this.sql('SELECT holder, name FROM holder WHERE name IS NOT NULL').all()
    return new Map(rows.map(({ holder, name }) => [String(holder), String(name)]))
  }

  /** The row's stable number, by which pages of all rows are read. */
  idOf(cid: string): number | undefined {
    const id = this.sql('SELECT id FROM pin WHERE cid = ?').get(cidColumn(cid))?.id
    return id === undefined ? undefined : Number(id)
  }

  get lastId(): number {
    return this.statements.number('SELECT coalesce(max(id), 0) AS n FROM pin')
  }

  /** Numbers of rows that have leases, in order. */
  idsAfter(after: number, count: number): readonly number[] {
    return this.sql('SELECT id FROM pin WHERE id > ? AND leases IS NOT NULL ORDER BY id LIMIT ?')
      .all(after, count)
      .map(({ id }) => Number(id))
  }

  rowById(id: number): LedgerRow | undefined {
    const columns = this.sql('SELECT * FROM pin WHERE id = ?').get(id)
    return columns && read(columns)
  }

  /** Rows that are due to change by themselves. */
  due(count: number): readonly Columns[] {
    return this.sql('SELECT * FROM pin WHERE due <= ? ORDER BY due LIMIT ?').all(this.now(), count)
  }

  /**
   * Takes expired leases out of the counts, and deletes rows that have been over for a day.
   * Runs in a transaction.
   */
  age(due: readonly Columns[]): void {
    const oldestKept = this.statements.number(
      `SELECT coalesce(max(seq), 0) AS n FROM
        (SELECT seq FROM pin WHERE seq > 0 ORDER BY seq DESC LIMIT 1 OFFSET ${tombstonesMin - 1})`,
    )
    for (const columns of due) this.ageOne(columns, oldestKept)
  }

  /**
   * Recounts all valid leases, after a clock was put back. Runs in a transaction.
   *
   * @returns the last row that it counted; undefined: all rows
   */
  recount(after: number, count: number): number | undefined {
    const now = this.now()
    const ids = this.idsAfter(after, count)
    for (const id of ids) {
      const row = this.rowById(id)
      if (row === undefined) continue
      for (const { holder, untilMs } of row.leases) if (untilMs > now) this.hold(holder, id)
      this.sql('UPDATE pin SET due = ? WHERE id = ?').run(laterDue(row, now), id)
    }
    return ids.at(-1)
  }

  private ageOne(columns: Columns, oldestKept: number): void {
    const now = this.now()
    const row = read(columns)
    const id = Number(columns.id)
    const live = new Set<string>()
    for (const { holder, untilMs } of row?.leases ?? []) if (untilMs > now) live.add(holder)
    for (const holder of this.holdersIn(columns, id)) if (!live.has(holder)) this.unhold(holder, id)
    const isTombstone = row?.leases.length === 0
    if (row === undefined || (isOver(row, now) && !(isTombstone && row.seq >= oldestKept)))
      this.sql('DELETE FROM pin WHERE id = ?').run(id)
    else this.sql('UPDATE pin SET due = ? WHERE id = ?').run(laterDue(row, now), id)
  }

  private hold(holder: string, pin: number): void {
    const id = this.idOfHolder(holder) ?? this.addHolder(holder)
    const { changes } = this.sql('INSERT OR IGNORE INTO held VALUES (?, ?)').run(id, pin)
    if (changes !== 0) this.add(holder, id, 1)
  }

  private unhold(holder: string, pin: number): void {
    const id = this.idOfHolder(holder)
    if (id === undefined) return
    const { changes } = this.sql('DELETE FROM held WHERE holder = ? AND pin = ?').run(id, pin)
    if (changes !== 0) this.add(holder, id, -1)
  }

  private add(holder: string, id: number, difference: number): void {
    this.differences.add(id, difference)
    this.changed.add(holder)
  }

  private holdersIn(columns: Columns, pin: number): readonly string[] {
    try {
      return readLeases(columns.leases).map(({ holder }) => holder)
    } catch {
      // The row is damaged, so the search covers all holders, which takes long.
      const query =
        'SELECT holder.holder AS h FROM held JOIN holder ON id = held.holder WHERE pin = ?'
      return this.sql(query)
        .all(pin)
        .map(({ h }) => String(h))
    }
  }

  private idOfHolder(holder: string): number | undefined {
    const known = this.holderIds.get(holder)
    if (known !== undefined) return known
    const id = this.sql('SELECT id FROM holder WHERE holder = ?').get(holder)?.id
    // Keeps only known holders: the transaction that adds a new one may fail.
    if (id !== undefined && !this.statements.db.isTransaction) this.remember(holder, Number(id))
    return id === undefined ? undefined : Number(id)
  }

  private addHolder(holder: string): number {
    const { lastInsertRowid } = this.sql('INSERT INTO holder (holder) VALUES (?)').run(holder)
    return Number(lastInsertRowid)
  }

  /** Every writer of the cluster can invent holders, so the cache of their numbers is bounded. */
  private remember(holder: string, id: number): void {
    if (this.holderIds.size >= 10_000) this.holderIds.clear()
    this.holderIds.set(holder, id)
  }

  private sql(text: string) {
    return this.statements.sql(text)
  }
}

/** Undefined: the disk has damaged the row, so the gate knows nothing of the CID. */
function read(columns: Columns): LedgerRow | undefined {
  try {
    return rowOf(columns)
  } catch {
    return undefined
  }
}

/** No tokens of a damaged row, which the new one still replaces. */
function releasedBefore({ released }: Columns): readonly Released[] {
  try {
    return releasedIn(released)
  } catch {
    return []
  }
}

/** A row that is over and has to stay is due again in a day. */
const laterDue = (row: LedgerRow, now: number): number | null =>
  isOver(row, now) ? now + dayMs : dueOf(row, now)
