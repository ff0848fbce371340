/** The ledger's thread: executes the daemon's calls one at a time. */
import { join } from 'node:path'
import { ledgerName } from '../ledger-directory.js'
import type { Owes } from '../merge.js'
import type { LedgerRow } from '../row.js'
import { backUp } from './back-up.js'
import { DiskFault, NoFileYet } from './disk-fault.js'
import { DiskReserve } from './disk-reserve.js'
import type { FileFigures, LedgerCheck } from './figures.js'
import { KnownCids } from './known-cids.js'
import { LedgerFile, newGateId } from './ledger-file.js'
import type { ComparedState, LedgerContents, LedgerOperation } from './ledger-storage.js'
import { inMemory } from './open-database.js'
import { RecentPlaces } from './recent-places.js'
import { releaseMemory } from './release-memory.js'
import type { ReportedRow } from './row-table.js'
import { StateComparison } from './state-comparison.js'

export interface Opened {
  readonly gateId: string
  readonly contents: LedgerContents
  readonly setAside: string | undefined
  readonly damagedEntries: number
  /** Whether a ledger was there before, but not its file now. */
  readonly isLost: boolean
  /** Why the disk is not writable; undefined: it is. */
  readonly problem: string | undefined
}

export interface Written {
  /** For each group, why it is not on the disk; undefined: it is. */
  readonly failures: readonly (Failure | undefined)[]
  /** New numbers of leases, by holder. */
  readonly counts: ReadonlyMap<string, number>
  /** Why the gate should promise nothing more; undefined: it may promise. */
  readonly problem: string | undefined
}

export interface ComparisonStep {
  /** New numbers of leases, by holder. */
  readonly counts: ReadonlyMap<string, number>
  /** CIDs of this gate's writes whose rows were lost. */
  readonly lostWrites: readonly string[]
}

export type ComparisonEnd = ComparisonStep & { readonly compared: ComparedState }

export interface Failure {
  readonly message: string
  /** The change can never be written, whatever the state of the disk. */
  readonly isBug: boolean
}

/** CIDs of one portion; a commit that comes meanwhile waits for it. */
const cidsAtOnce = 2000

const nothing: LedgerContents = {
  queue: [],
  doubts: [],
  outbox: [],
  gates: [],
  isVolatile: false,
  counts: new Map(),
  lastRow: 0,
  comparedMs: undefined,
  walks: undefined,
  isIncomplete: true,
  wasClosed: true,
  isRebooted: false,
  isCopy: false,
  takenOver: undefined,
  cluster: undefined,
}

export class LedgerService {
  private readonly path: string
  private readonly reserve: DiskReserve
  private readonly gateId = newGateId()
  private file: LedgerFile | undefined
  private places: RecentPlaces | undefined
  private comparison: StateComparison | undefined
  private gathering: { readonly cids: KnownCids; readonly lastId: number } | undefined

  /** @param directory undefined: the ledger is in memory */
  constructor(directory: string | undefined) {
    this.path = directory === undefined ? inMemory : join(directory, ledgerName)
    this.reserve = new DiskReserve(directory && join(directory, 'ledger.reserve'))
  }

  /** @throws Error with a sentence, if the file cannot be read at all */
  open(): Opened {
    try {
      const file = this.opened()
      const { gateId, contents, setAside, damagedEntries } = file
      const isLost = file.isNew && setAside === undefined && this.reserve.isKept
      const { problem } = this.write([])
      return { gateId, contents, setAside, damagedEntries, isLost, problem }
    } catch (error) {
      if (!(error instanceof NoFileYet)) throw error
      const { message, setAside } = error
      return {
        gateId: this.gateId,
        contents: nothing,
        setAside,
        damagedEntries: 0,
        isLost: false,
        problem: message,
      }
    }
  }

  readonly releaseMemory = releaseMemory

  /** Writes each group whole or not at all, in order. */
  write(groups: readonly (readonly LedgerOperation[])[]): Written {
    const failures: (Failure | undefined)[] = groups.map(() => undefined)
    const fail = (which: readonly number[], error: unknown): void => {
      for (const index of which) failures[index] = failureOf(error)
    }
    const all = [...groups.keys()]
    const promises = all.filter((index) => groups[index]?.some(isPromise))
    const others = all.filter((index) => !promises.includes(index))
    let problem: string | undefined
    try {
      const file = this.opened()
      problem = this.reserve.keep()
      const isRoom = problem === undefined
      if (!isRoom) fail(promises, new DiskFault(new Error(problem)))
      try {
        this.apply(file, groups, isRoom ? all : others, fail)
      } catch (error) {
        if (!(error instanceof DiskFault)) throw error
        problem = error.message
        fail(promises, error)
        this.reserve.free()
        file.makeRoom()
        this.apply(file, groups, others, fail)
      }
    } catch (error) {
      fail(all, error)
      problem = failureOf(error).message
    }
    return { failures, counts: this.takeChanges(), problem }
  }

  /** @returns the first number of the range @throws DiskFault */
  reserveNumbers(count: number): number {
    return this.opened().reserve(count)
  }

  row(cid: string): LedgerRow | undefined {
    return this.readable()?.rows.row(cid)
  }

  /** Gathers the CIDs of some rows at each call. @returns undefined: there are more */
  gatherCids(): Uint32Array | undefined {
    const { cids, lastId } = (this.gathering ??= { cids: new KnownCids(), lastId: 0 })
    const page = this.readable()?.rows.cids(lastId, cidsAtOnce) ?? []
    for (const { cid } of page) cids.add(cid)
    const last = page.at(-1)
    this.gathering = last && { cids, lastId: last.id }
    return last === undefined ? cids.bits : undefined
  }

  newest(before: number, count: number): readonly LedgerRow[] {
    return this.readable()?.rows.newest(before, count) ?? []
  }

  held(holder: string, after: string | undefined, count: number): readonly string[] {
    return this.readable()?.rows.held(holder, after, count) ?? []
  }

  reportedPage(report: string, after: string | undefined, count: number): readonly ReportedRow[] {
    return this.readable()?.rows.reportedPage(report, after, count) ?? []
  }

  names(): ReadonlyMap<string, string> {
    return this.readable()?.rows.names() ?? new Map()
  }

  /** @returns whether more work is left, and the changed counts @throws DiskFault */
  maintain(): { readonly isMore: boolean; readonly counts: ReadonlyMap<string, number> } {
    const isMore = this.readable()?.maintain() ?? false
    return { isMore, counts: this.readable()?.rows.takeChanges() ?? new Map() }
  }

  /** @throws Error if the disk does not answer */
  figures(): FileFigures {
    const file = this.opened()
    return {
      owedRows: file.rows.owed(),
      reportedRows: file.rows.reported(),
      bytes: file.bytes,
      freeBytes: this.reserve.freeBytes,
      hasNoInodes: this.reserve.hasNoInodes,
    }
  }

  check(): LedgerCheck {
    return this.opened().check()
  }

  async backUp(path: string): Promise<void> {
    await backUp(this.opened(), path)
  }

  /** @throws DiskFault */
  beginComparison(lastSeq: number, owes: Owes): void {
    if (this.comparison !== undefined) throw new Error('another comparison is running')
    const file = this.opened()
    this.comparison = new StateComparison(file, lastSeq, this.places?.before ?? 0, owes)
  }

  see(lines: readonly string[]): ComparisonStep {
    this.comparison?.see(lines)
    return this.stepOf(this.comparison)
  }

  /** @throws DiskFault */
  async endComparison(): Promise<ComparisonEnd> {
    const { comparison } = this
    if (comparison === undefined) throw new Error('no comparison is running')
    try {
      const compared = await comparison.end()
      return { compared, ...this.stepOf(comparison) }
    } finally {
      this.comparison = undefined
    }
  }

  abandonComparison(): ComparisonStep {
    const { comparison } = this
    this.comparison = undefined
    try {
      comparison?.flush()
    } catch (error) {
      // The next call meets the same fault, and reports it.
      if (!(error instanceof DiskFault)) throw error
    }
    return this.stepOf(comparison)
  }

  /** @param nextSeq the first unused number; undefined: changes were lost */
  close(nextSeq: number | undefined): void {
    this.file?.close(nextSeq)
  }

  private stepOf(comparison: StateComparison | undefined): ComparisonStep {
    return { counts: this.takeChanges(), lostWrites: comparison?.takeLostWrites() ?? [] }
  }

  private takeChanges(): ReadonlyMap<string, number> {
    return this.file?.rows.takeChanges() ?? new Map<string, number>()
  }

  /** Undefined: no file exists yet, as the disk is not writable. */
  private readable(): LedgerFile | undefined {
    try {
      return this.opened()
    } catch (error) {
      if (error instanceof NoFileYet) return undefined
      throw error
    }
  }

  /** @throws DiskFault */
  private opened(): LedgerFile {
    this.file ??= new LedgerFile({ path: this.path, gateId: this.gateId })
    this.places ??= new RecentPlaces(this.file.contents.lastRow, () => performance.now())
    return this.file
  }

  /** @throws DiskFault if it keeps none of them */
  private apply(
    file: LedgerFile,
    groups: readonly (readonly LedgerOperation[])[],
    which: readonly number[],
    fail: (which: readonly number[], error: unknown) => void,
  ): void {
    const operations = which.flatMap((index) => groups[index] ?? [])
    try {
      if (operations.length === 0) file.probe()
      else file.apply(operations)
      this.comparison?.touch(operations)
      for (const operation of operations)
        if (operation.kind === 'row') this.places?.wrote(operation.row.seq)
    } catch (error) {
      if (error instanceof DiskFault) throw error
      // A group that SQLite rejects must not block the others forever.
      if (which.length === 1) fail(which, error)
      else for (const index of which) this.apply(file, groups, [index], fail)
    }
  }
}

/** Other groups are small and fulfil earlier promises, so they may use the reserve. */
const isPromise = (operation: LedgerOperation): boolean =>
  operation.kind === 'enqueue' && operation.entry.rejection === undefined

const failureOf = (error: unknown): Failure => ({
  message: error instanceof Error ? error.message : String(error),
  isBug: !(error instanceof DiskFault),
})
