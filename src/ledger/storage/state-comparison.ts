/** Compares the ledger's file with the cluster's whole state, line by line. */
import { leasePrefix } from '../../leases/lease.js'
import { type PinRecord, readPinRecord } from '../../leases/pin-record.js'
import { minuteMs } from '../../time/units.js'
import type { Owes } from '../merge.js'
import type { LedgerRow } from '../row.js'
import type { LedgerFile } from './ledger-file.js'
import type { ComparedState, LedgerOperation } from './ledger-storage.js'
import { decidedMs } from './recent-places.js'
import { compareRow, type Comparing, type SeenRow, withoutRecord } from './seen-record.js'

/** Marks a line with leases: other pins are not the gate's, so it does not parse them. */
const leaseBytes = `"${leasePrefix}`

/** Rows compared between two messages of other callers. */
const pageRows = 2000

/** Rows of one transaction: they lie all over the file, and a commit waits for them. */
const foundMax = 1000

type FoundRow = SeenRow & { readonly cid: string; readonly known: LedgerRow | undefined }

export class StateComparison {
  /** Rows that the comparison saw, a bit each, by number. */
  private readonly seen: Uint8Array
  private readonly lastId: number
  private readonly startMs: number
  /** CIDs written since the beginning: the state may be older. */
  private readonly touched = new Set<string>()
  private readonly found: FoundRow[] = []
  private lostWrites: string[] = []
  private pins = 0
  private leases = 0
  private adopted = 0
  /** Rows that the ledger reports from now on. */
  private readonly reported = { missing: 0, unexpected: 0 }
  private readonly undecided = { missing: 0, unexpected: 0, waitMs: decidedMs }

  /**
   * @param lastSeq the last number in use: rows with a later one stay as they are
   * @param recentAfter the cluster may not show yet what was written after this place
   */
  constructor(
    private readonly file: LedgerFile,
    private readonly lastSeq: number,
    private readonly recentAfter: number,
    private readonly owes: Owes = 'all',
    private readonly now: () => number = () => Date.now(),
  ) {
    this.startMs = now()
    this.lastId = file.rows.lastId
    this.seen = new Uint8Array((this.lastId >>> 3) + 1)
  }

  /** Notes a CID that is written meanwhile. */
  touch(operations: readonly LedgerOperation[]): void {
    for (const operation of operations)
      if (operation.kind === 'row') this.touched.add(operation.row.cid)
  }

  /** @throws DiskFault the rows count as seen, but their leases are not adopted */
  see(lines: readonly string[]): void {
    for (const line of lines) {
      this.pins++
      const record = line.includes(leaseBytes) ? recordIn(line) : undefined
      if (record === undefined) continue
      this.leases += record.leases.length
      this.compare(record)
    }
    if (this.found.length >= foundMax) this.flush()
  }

  /** Writes the changes found so far. @throws DiskFault */
  flush(): void {
    const found = this.found.splice(0)
    const operations = found.flatMap(({ cid, known, isAdopted, isLostWrite, ...seen }) => {
      const row = this.decided(cid, known, seen)
      if (row === undefined) return []
      if (isAdopted) this.adopted++
      if (isLostWrite) this.lostWrites.push(cid)
      return [{ kind: 'row', row } as const]
    })
    if (operations.length > 0) this.file.apply(operations)
  }

  /** Marks owed pins that it did not see as missing. @throws DiskFault */
  async end(): Promise<ComparedState> {
    this.flush()
    for (let after = 0; after < this.lastId;) {
      const ids = this.file.rows.idsAfter(after, pageRows)
      after = ids.at(-1) ?? this.lastId
      const rows = ids.filter((id) => !this.has(id)).flatMap((id) => this.gone(id) ?? [])
      const found = rows.map((row): LedgerOperation => ({ kind: 'row', row }))
      if (found.length > 0) this.file.apply(found)
      // Lets a commit that came meanwhile go first.
      await new Promise(setImmediate)
    }
    const { pins, leases, adopted, reported, undecided } = this
    // A run that begins before they are decided compares at once.
    const isWhole = undecided.missing + undecided.unexpected === 0
    this.file.compared(isWhole ? this.now() : 0)
    return { pins, leases, adopted, ...reported, undecided }
  }

  /** CIDs of lost writes that were found since the last call. */
  takeLostWrites(): readonly string[] {
    const cids = this.lostWrites
    this.lostWrites = []
    return cids
  }

  private compare(record: PinRecord): void {
    const { rows } = this.file
    const id = rows.idOf(record.cid)
    if (id !== undefined) this.mark(id)
    const known = id === undefined ? undefined : rows.rowById(id)
    const seen = compareRow(known, record, this.comparing())
    if (seen.row !== undefined || seen.differs !== undefined)
      this.found.push({ ...seen, cid: record.cid, known })
  }

  /** The new row of a pin that the cluster lacks. */
  private gone(id: number): LedgerRow | undefined {
    const known = this.file.rows.rowById(id)
    return known && this.decided(known.cid, known, withoutRecord(known, this.comparing()))
  }

  /** The row to write, if any; counts differences: those that it reports, and the others. */
  private decided(
    cid: string,
    known: LedgerRow | undefined,
    { row, differs }: Pick<SeenRow, 'row' | 'differs'>,
  ): LedgerRow | undefined {
    if (row === undefined && differs === undefined) return undefined
    // The state may be older than these: it says nothing about them.
    const seq = Math.max(known?.seq ?? 0, row?.seq ?? 0)
    if (this.touched.has(cid) || seq > this.lastSeq) return undefined
    const openUntil = this.file.pending.openUntil(cid)
    const after = openUntil === undefined ? row : undefined
    if (differs === undefined) return after
    const { reported, undecided } = this
    if (after?.report === differs) {
      reported[differs]++
      return after
    }
    undecided[differs]++
    // The doubt repairs what it finds, or reports it.
    undecided.waitMs = Math.max(undecided.waitMs, (openUntil ?? 0) + minuteMs - this.now())
    return after
  }

  private comparing(): Comparing {
    const { file, owes, startMs, recentAfter } = this
    return { gateId: file.gateId, owes, startMs, nowMs: this.now(), recentAfter }
  }

  /** Rows added since the beginning have higher numbers. */
  private mark(id: number): void {
    if (id <= this.lastId) this.seen[id >>> 3] = (this.seen[id >>> 3] ?? 0) | (1 << (id & 7))
  }

  private has(id: number): boolean {
    return id > this.lastId || ((this.seen[id >>> 3] ?? 0) & (1 << (id & 7))) !== 0
  }
}

/** Undefined: the line is unreadable, and says nothing about any pin. */
function recordIn(line: string): PinRecord | undefined {
  try {
    const record = readPinRecord(line)
    return record.type === 'pin' ? record : undefined
  } catch {
    return undefined
  }
}
