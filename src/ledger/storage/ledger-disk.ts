/** The daemon's side of the ledger: SQLite in its own thread, for which no request waits. */
import { setTimeout } from 'node:timers/promises'
import type { Logger } from '../../log/logger.js'
import { setTimer, type SetTimer } from '../../time/clock.js'
import type { Owes } from '../merge.js'
import { type LedgerRow, withReleased } from '../row.js'
import { CommitQueue } from './commit-queue.js'
import { FigureReader } from './figure-reader.js'
import type { LedgerCheck, LedgerFigures } from './figures.js'
import type { Opened } from './ledger-service.js'
import {
  type OnLostWrite,
  type WholeComparison,
  type LedgerContents,
  LedgerFault,
  type LedgerStorage,
  type LedgerOperation,
} from './ledger-storage.js'
import { KnownRows } from './known-cids.js'
import type { ReportedRow } from './row-table.js'
import { compareInThread } from './threaded-comparison.js'
import { WorkerCalls, DirectCalls } from './worker-calls.js'

export interface LedgerDiskParts {
  /** Created if its parent allows that; undefined: the ledger is in memory. */
  readonly directory: string | undefined
  readonly log: Logger
  readonly setTimer?: SetTimer
}

/** The ledger's disk, with what operators ask of it. */
export interface LedgerDisk extends LedgerStorage {
  /** Directory of the file; undefined: the ledger is in memory. */
  readonly directory: string | undefined
  /** Never rejects; while the disk hangs, returns the previous figures. */
  figures(): Promise<LedgerFigures>
  /** Reads the whole file, which takes a second with many rows. */
  check(): Promise<LedgerCheck>
  /** Copies the ledger while the daemon uses it. @param path absolute, of a new file */
  backUp(path: string): Promise<void>
  /**
   * Rows changed outside the gate, in a stable order. @param after last CID of the previous page
   */
  reportedPage(
    report: 'missing' | 'unexpected',
    after: string | undefined,
    count: number,
  ): Promise<readonly ReportedRow[]>
  /** The last known names, by holder. */
  names(): Promise<ReadonlyMap<string, string>>
  /** For many calls of {@link LedgerStorage.nextSeq} at the same time. @throws LedgerFault */
  reserveSeqs(count: number): Promise<void>
  /** Frees what the thread needed only to open. Never rejects. */
  releaseMemory(): Promise<void>
}

/** The disk knows each range before its numbers are used, so no number is used twice. */
const rangeSize = 10_000

const maintainMs = 60_000

/** Time limit for a thread or disk that hangs. */
const closeMs = 5000

/** @throws Error with a sentence if the ledger is unreadable, or another daemon has it */
export async function openLedgerDisk(parts: LedgerDiskParts): Promise<LedgerDisk> {
  const { directory, log } = parts
  const calls =
    directory === undefined
      ? new DirectCalls()
      : new WorkerCalls(directory, (err) => {
          log('error', { err }, 'the thread of the ledger ended; the gate started another')
        })
  try {
    const storage = new ThreadedLedger(calls, await calls.call('open'), parts)
    await storage.begin()
    return storage
  } catch (error) {
    await calls.close(undefined, closeMs).catch(() => undefined)
    throw error
  }
}

/** A ledger in memory ends with the process. */
export const openLedgerMemory = (log: Logger): Promise<LedgerDisk> =>
  openLedgerDisk({ directory: undefined, log })

class ThreadedLedger implements LedgerDisk {
  readonly gateId: string
  readonly contents: LedgerContents
  readonly directory: string | undefined
  private readonly queue: CommitQueue
  private readonly counts: Map<string, number>
  private readonly figureReader: FigureReader
  private readonly commits = { count: 0, seconds: 0 }
  private next = 0
  /** The first number that was not reserved. */
  private limit = 0
  private isReserving = false
  private isClosed = false
  isUnsettled = false
  private readonly known: KnownRows
  private cancelMaintenance = (): void => undefined

  constructor(
    private readonly calls: WorkerCalls | DirectCalls,
    opened: Opened,
    private readonly parts: LedgerDiskParts,
  ) {
    this.gateId = opened.gateId
    this.contents = opened.contents
    this.directory = parts.directory
    this.counts = new Map(opened.contents.counts)
    this.known = new KnownRows({
      gatherSome: () => calls.call('gatherCids'),
      reported: async () => (await calls.call('figures')).reportedRows.missing,
    })
    this.queue = new CommitQueue({
      write: (groups) => this.timed(() => this.calls.call('write', groups)),
      setTimer: parts.setTimer ?? setTimer,
      onCounts: (counts) => {
        this.learn(counts)
      },
      onProblem: (problem) => {
        this.logProblem(problem)
      },
      onLost: (count, reason) => {
        this.log('error', { count, reason }, 'lost changes of the ledger')
      },
    })
    // The real clock: a test that moves the injected clock still has to get its figures.
    this.figureReader = new FigureReader(() => this.calls.call('figures'), setTimer)
    this.logOpened(opened)
  }

  /** Reserves numbers for the first requests. */
  async begin(): Promise<void> {
    try {
      await this.reserveSeqs(rangeSize)
    } catch (error) {
      if (!(error instanceof LedgerFault)) throw error
      this.queue.retryLater()
    }
    this.maintainLater()
    void this.known.gather()
  }

  get isWritable(): boolean {
    return this.queue.isWritable && this.next < this.limit
  }

  get lastSeq(): number {
    return this.next - 1
  }

  nextSeq(): number {
    if (this.limit - this.next < rangeSize / 2) void this.reserve()
    if (this.next >= this.limit) throw new LedgerFault('the ledger cannot be written to disk')
    return this.next++
  }

  commit(operations: readonly LedgerOperation[]): Promise<void> {
    this.known.learn(operations)
    return this.queue.commit(operations)
  }

  note(operations: readonly LedgerOperation[]): Promise<void> {
    this.known.learn(operations)
    return this.queue.note(operations)
  }

  mayHaveRow(cid: string): boolean {
    return this.known.mayHave(cid)
  }

  get mayBeReported(): boolean {
    return this.known.mayBeReported
  }

  async row(cid: string): Promise<LedgerRow | undefined> {
    const waiting = this.queue.waitingRow(cid)
    const kept = await this.calls.call('row', cid)
    return waiting && kept ? withReleased(waiting, kept.released) : (waiting ?? kept)
  }

  newest(before: number, count: number): Promise<readonly LedgerRow[]> {
    return this.calls.call('newest', before, count)
  }

  async held(holder: string, after: string | undefined, count: number): Promise<readonly string[]> {
    // Notes go first, as far as the disk takes them.
    await this.queue.commit([]).catch(() => undefined)
    return this.calls.call('held', holder, after, count)
  }

  count(holder: string): number {
    return this.counts.get(holder) ?? 0
  }

  async countNow(): Promise<void> {
    while (await this.age());
  }

  compare(onLostWrite: OnLostWrite, owes: Owes = 'all'): Promise<WholeComparison> {
    const learn = (counts: ReadonlyMap<string, number>): void => {
      this.learn(counts)
    }
    const { calls, known, lastSeq } = this
    return compareInThread({ calls, known, lastSeq, owes, learn, onLostWrite })
  }

  async figures(): Promise<LedgerFigures> {
    return { ...(await this.figureReader.read()), commits: { ...this.commits } }
  }

  check(): Promise<LedgerCheck> {
    return this.calls.call('check')
  }

  backUp(path: string): Promise<void> {
    return this.calls.call('backUp', path)
  }

  async reportedPage(
    report: 'missing' | 'unexpected',
    after: string | undefined,
    count: number,
  ): Promise<readonly ReportedRow[]> {
    // Notes go first, as far as the disk takes them.
    await this.queue.commit([]).catch(() => undefined)
    return this.calls.call('reportedPage', report, after, count)
  }

  names(): Promise<ReadonlyMap<string, string>> {
    return this.calls.call('names')
  }

  async reserveSeqs(count: number): Promise<void> {
    const reserved = await this.calls.call('reserveNumbers', count)
    const first = Math.max(this.limit, reserved)
    if (first > this.limit) this.next = first
    this.limit = first + count
  }

  releaseMemory(): Promise<void> {
    return this.calls.call('releaseMemory').catch(() => undefined)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.cancelMaintenance()
    const late = setTimeout(closeMs, undefined, { ref: false })
    const unwritten = await Promise.race([this.queue.close(), late])
    const isWhole = unwritten === 0 && this.limit > 0 && !this.isUnsettled
    if (unwritten !== 0)
      this.log('error', { unwritten: this.queue.size }, 'lost changes of the ledger')
    try {
      await this.calls.close(isWhole ? this.next : undefined, closeMs)
    } catch (err) {
      this.log('error', { err }, 'could not close the ledger')
    }
  }

  private async timed<T>(write: () => Promise<T>): Promise<T> {
    const startMs = performance.now()
    try {
      return await write()
    } finally {
      this.commits.count++
      this.commits.seconds += (performance.now() - startMs) / 1000
    }
  }

  private async reserve(): Promise<void> {
    if (this.isReserving) return
    this.isReserving = true
    try {
      await this.reserveSeqs(rangeSize)
    } catch {
      // The next caller for a number gets the fault, and the queue retries the disk.
      this.queue.retryLater()
    } finally {
      this.isReserving = false
    }
  }

  private maintainLater(ms = maintainMs): void {
    this.cancelMaintenance = (this.parts.setTimer ?? setTimer)(ms, () => void this.maintain())
  }

  private async maintain(): Promise<void> {
    const isMore = await this.age()
    if (!this.isClosed) this.maintainLater(isMore ? 0 : maintainMs)
  }

  /** @returns whether more work is left */
  private async age(): Promise<boolean> {
    try {
      const { counts, isMore } = await this.calls.call('maintain')
      this.learn(counts)
      return isMore
    } catch {
      // The next write reports a disk that is not writable.
      return false
    }
  }

  private learn(counts: ReadonlyMap<string, number>): void {
    for (const [holder, count] of counts)
      if (count > 0) this.counts.set(holder, count)
      else this.counts.delete(holder)
  }

  private logOpened({ setAside, damagedEntries, isLost, problem }: Opened): void {
    if (setAside !== undefined)
      this.log('error', { setAside }, 'the ledger was damaged; the gate began a new one')
    if (isLost) this.log('error', {}, 'the ledger is gone or empty; the gate began a new one')
    if (damagedEntries > 0)
      this.log('error', { damagedEntries }, 'could not read pins that wait in the ledger')
    if (problem === undefined) return
    this.queue.problem = problem
    this.logProblem(problem)
    this.queue.retryLater()
  }

  private logProblem(problem: string | undefined): void {
    if (problem !== undefined) this.log('error', { reason: problem }, 'could not write the ledger')
    else {
      this.log('info', {}, 'wrote the ledger again')
      if (this.next >= this.limit) void this.reserve()
    }
  }

  private log(level: 'info' | 'error', fields: object, message: string): void {
    this.parts.log(level, { directory: this.directory, ...fields }, message)
  }
}
