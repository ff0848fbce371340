/** A comparison of the simulated disk's rows with the cluster's whole state, as the file makes it. */
import type { Owes } from '../../src/ledger/merge.js'
import type { LedgerRow } from '../../src/ledger/row.js'
import type {
  ComparedState,
  OnLostWrite,
  WholeComparison,
} from '../../src/ledger/storage/ledger-storage.js'
import { decidedMs } from '../../src/ledger/storage/recent-places.js'
import {
  compareRow,
  type Comparing,
  type SeenRow,
  withoutRecord,
} from '../../src/ledger/storage/seen-record.js'
import { readPinRecord } from '../../src/leases/pin-record.js'
import type { OpenDisk } from './simulated-disk.js'
import type { VirtualTime } from './virtual-time.js'

type FoundRow = SeenRow & { readonly cid: string; readonly known: LedgerRow | undefined }

export class SimulatedComparison implements WholeComparison {
  private readonly seen = new Set<string>()
  private readonly found: FoundRow[] = []
  private readonly startMs: number
  private readonly recentAfter: number
  private readonly lastSeq: number
  private leases = 0
  private adopted = 0
  private readonly reported = { missing: 0, unexpected: 0 }
  private readonly undecided = { missing: 0, unexpected: 0, waitMs: decidedMs }

  constructor(
    private readonly disk: OpenDisk,
    private readonly time: VirtualTime,
    private readonly owes: Owes,
    private readonly onLostWrite: OnLostWrite,
  ) {
    this.startMs = time.wall()
    this.recentAfter = disk.places.before
    this.lastSeq = disk.seqNow - 1
  }

  async see(lines: readonly string[]): Promise<void> {
    const { rows } = this.disk.image
    for (const line of lines) {
      const record = readPinRecord(line)
      const { cid, leases } = record
      if (leases.length === 0) continue
      this.seen.add(cid)
      this.leases += leases.length
      const known = rows.get(cid)
      this.found.push({ cid, known, ...compareRow(known, record, this.comparing()) })
    }
  }

  /** Decides on what it saw, unless that was written meanwhile. */
  private flush(): void {
    const { rows } = this.disk.image
    for (const { cid, known, row, differs, isAdopted, isLostWrite } of this.found.splice(0)) {
      if (rows.get(cid) !== known || !this.mayChange(cid, known)) continue
      if (differs !== undefined) this.counterOf(row, differs)[differs]++
      if (isAdopted) this.adopted++
      if (row !== undefined) rows.set(cid, row)
      if (isLostWrite) this.onLostWrite(cid)
    }
  }

  async end(): Promise<ComparedState> {
    this.flush()
    const { rows } = this.disk.image
    for (const [cid, row] of rows) {
      if (this.seen.has(cid) || !this.mayChange(cid, row)) continue
      const { row: after, differs } = withoutRecord(row, this.comparing())
      if (differs !== undefined) this.counterOf(after, differs)[differs]++
      if (after !== undefined) rows.set(cid, after)
    }
    this.disk.image.comparedMs = this.time.wall()
    this.disk.image.isIncomplete = false
    const { seen, leases, adopted, reported, undecided } = this
    return { pins: seen.size, leases, adopted, ...reported, undecided }
  }

  async abandon(): Promise<void> {
    this.flush()
    this.seen.clear()
  }

  private counterOf(row: LedgerRow | undefined, differs: LedgerRow['report']) {
    return row?.report === differs ? this.reported : this.undecided
  }

  private mayChange(cid: string, row: LedgerRow | undefined): boolean {
    if (this.disk.isPending(cid)) return false
    return row === undefined || row.seq <= this.lastSeq
  }

  private comparing(): Comparing {
    const { owes, startMs, disk, time, recentAfter } = this
    return { gateId: disk.gateId, owes, startMs, nowMs: time.wall(), recentAfter }
  }
}
