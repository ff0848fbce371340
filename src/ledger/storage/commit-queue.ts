/**
 * Batches changes for the ledger's disk: one batch gathers while another is committed. A commit is
 * on disk or fails; a note waits until it can be written.
 */
import type { SetTimer } from '../../time/clock.js'
import { type LedgerRow, withReleased } from '../row.js'
import type { Failure, Written } from './ledger-service.js'
import { LedgerFault, type LedgerOperation } from './ledger-storage.js'
import { NoteWaiters } from './note-waiters.js'

export interface CommitQueueParts {
  readonly write: (groups: readonly (readonly LedgerOperation[])[]) => Promise<Written>
  readonly setTimer: SetTimer
  readonly onCounts: (counts: ReadonlyMap<string, number>) => void
  /** @param problem why the disk is not writable; undefined: it is writable again */
  readonly onProblem: (problem: string | undefined) => void
  /** Changes that can never be written, which is a bug, or that did not fit. */
  readonly onLost: (count: number, reason: string) => void
}

/** Longest wait of a note for others, while no request waits for it. */
const gatherMs = 10

/** Delay after a failed write. */
const retryMs = 5000

/** Copying this many takes one or two milliseconds of the thread that serves requests. */
const batchMax = 250

const enders: ReadonlySet<LedgerOperation['kind']> = new Set([
  ...(['dequeue', 'settle', 'walks', 'delivered'] as const),
])

/** Most waiting operations. */
const commitsMax = 20_000
const notedMax = 100_000

interface Commit {
  readonly operations: readonly LedgerOperation[]
  readonly order: number
  readonly resolve: () => void
  readonly reject: (error: LedgerFault) => void
}

interface Noted {
  readonly operation: LedgerOperation
  readonly order: number
  /** Order of the first note that this one replaces; both reach the disk together. */
  readonly since: number
}

type NotedEntry = readonly [key: string, noted: Noted]

export class CommitQueue {
  /** Why the gate must not make promises now; undefined: it may. */
  problem: string | undefined
  private commits: Commit[] = []
  private inFlight: readonly Commit[] = []
  private commitOperations = 0
  /** The last note of each subject; notes that end a promise come after all others. */
  private readonly noted = new Map<string, Noted>()
  private order = 0
  private readonly waiters = new NoteWaiters()
  private writing: Promise<void> | undefined
  /** Only the timer retries notes, not each request that the disk refuses. */
  private isStuck = false
  /** Writes each note separately, as one of them cannot be written. */
  private isSifting = false
  private cancelGather: (() => void) | undefined
  private cancelRetry: (() => void) | undefined
  private isClosed = false
  private lost = 0

  constructor(private readonly parts: CommitQueueParts) {}

  get isWritable(): boolean {
    return (
      !this.isClosed &&
      this.problem === undefined &&
      this.commitOperations < commitsMax &&
      this.noted.size < notedMax
    )
  }

  /** Operations that wait. */
  get size(): number {
    return this.commitOperations + this.noted.size
  }

  commit(operations: readonly LedgerOperation[]): Promise<void> {
    if (this.isClosed) return Promise.reject(new LedgerFault('the ledger is closed'))
    if (this.commitOperations > 0 && this.commitOperations + operations.length > commitsMax)
      return Promise.reject(new LedgerFault('too much waits for the disk of the ledger'))
    return new Promise((resolve, reject) => {
      const whole = operations.map((operation) => this.withNoted(operation))
      this.commits.push({ operations: whole, order: ++this.order, resolve, reject })
      this.commitOperations += operations.length
      // Commits of the same turn of the event loop share one write.
      queueMicrotask(() => {
        this.start()
      })
    })
  }

  /** @returns resolves when all of the operations are on the disk */
  note(operations: readonly LedgerOperation[]): Promise<void> {
    for (const operation of operations) this.keep(operation)
    if (this.writing === undefined && !this.isStuck) this.gather()
    return this.waiters.add(this.order)
  }

  /** The newest row of the CID that waits for the disk. */
  waitingRow(cid: string): LedgerRow | undefined {
    const noted = this.noted.get(`row ${cid}`)
    let found = noted?.operation.kind === 'row' ? noted.operation.row : undefined
    for (const { operations, order } of [...this.inFlight, ...this.commits])
      for (const operation of operations)
        if (operation.kind === 'row' && operation.row.cid === cid && order > (noted?.order ?? 0))
          found = operation.row
    return found
  }

  /** Retries after a delay. */
  retryLater(): void {
    this.cancelRetry ??= this.parts.setTimer(retryMs, () => {
      this.cancelRetry = undefined
      this.isStuck = false
      this.start(true)
    })
  }

  /** Writes waiting operations, as far as the disk allows. @returns how many remain */
  async close(): Promise<number> {
    this.isClosed = true
    this.isStuck = false
    do {
      this.start()
      await this.writing
    } while (this.canGoOn())
    this.cancelGather?.()
    this.cancelRetry?.()
    return this.size
  }

  private canGoOn(): boolean {
    return this.commits.length > 0 || (this.noted.size > 0 && !this.isStuck)
  }

  private keep(operation: LedgerOperation): void {
    const key = keyOf(operation)
    if (!this.noted.has(key) && this.noted.size >= notedMax) {
      this.lost++
      if (this.lost === 1) this.parts.onLost(1, 'too much waits for the disk of the ledger')
      return
    }
    const since = this.noted.get(key)?.since
    // A note that ends a promise never precedes the change that fulfils it.
    if (enders.has(operation.kind)) this.noted.delete(key)
    const whole = this.withNoted(operation)
    const order = ++this.order
    this.noted.set(key, { operation: whole, order, since: since ?? order })
  }

  /** A row that replaces a waiting one takes over the tokens that the waiting one released. */
  private withNoted(operation: LedgerOperation): LedgerOperation {
    const before =
      operation.kind === 'row' ? this.noted.get(keyOf(operation))?.operation : undefined
    if (operation.kind !== 'row' || before?.kind !== 'row') return operation
    return { kind: 'row', row: withReleased(operation.row, before.row.released) }
  }

  /** Resolves the waiters whose every note is on the disk. */
  private settleWaiters(): void {
    let oldest = Infinity
    for (const { since } of this.noted.values()) oldest = Math.min(oldest, since)
    this.waiters.settle(oldest)
  }

  private gather(): void {
    this.cancelGather ??= this.parts.setTimer(gatherMs, () => {
      this.cancelGather = undefined
      this.start()
    })
  }

  private start(isProbe = false): void {
    if (this.writing !== undefined) return
    if (!isProbe && this.commits.length === 0 && (this.noted.size === 0 || this.isStuck)) return
    this.cancelGather?.()
    this.cancelGather = undefined
    this.writing = this.writeBatch().then(() => {
      this.writing = undefined
      if (this.commits.length > 0 || this.noted.size >= batchMax) this.start()
      else if (this.noted.size > 0 && !this.isStuck) this.gather()
    })
  }

  private async writeBatch(): Promise<void> {
    const commits = this.takeCommits()
    const { entries, superseded } = this.takeNoted(commits)
    const groups = this.isSifting
      ? entries.map(([, { operation }]) => [operation])
      : [entries.map(([, { operation }]) => operation)]
    this.inFlight = commits
    const all = [...groups, ...commits.map(({ operations }) => operations)]
    const { failures, counts, problem } = await this.write(all)
    this.parts.onCounts(counts)
    this.settleNoted(entries, failures)
    commits.forEach((commit, index) => {
      this.settleCommit(commit, failures[groups.length + index], superseded)
    })
    this.inFlight = []
    this.settleWaiters()
    this.noteProblem(problem)
  }

  /** Takes whole commits, and not many more operations than one batch has. */
  private takeCommits(): readonly Commit[] {
    let operations = 0
    let count = 0
    for (const commit of this.commits) {
      if (operations >= batchMax) break
      operations += commit.operations.length
      count++
    }
    return this.commits.splice(0, count)
  }

  /** Notes in their order, before the commits, except notes that follow a commit. */
  private takeNoted(commits: readonly Commit[]): {
    readonly entries: readonly NotedEntry[]
    readonly superseded: ReadonlyMap<string, Noted>
  } {
    const orders = new Map(
      commits.flatMap(({ operations, order }) => operations.map((each) => [keyOf(each), order])),
    )
    const entries: NotedEntry[] = []
    const superseded = new Map<string, Noted>()
    for (const [key, order] of orders) {
      const noted = this.noted.get(key)
      if (noted !== undefined && noted.order < order) superseded.set(key, noted)
    }
    if (this.isStuck) return { entries, superseded }
    for (const [key, noted] of this.noted) {
      if (entries.length >= batchMax) break
      if (superseded.has(key)) continue
      // This note follows the commit, so neither it nor later notes may be written first.
      if (orders.has(key)) break
      entries.push([key, noted])
    }
    return { entries, superseded }
  }

  private async write(groups: readonly (readonly LedgerOperation[])[]): Promise<Written> {
    try {
      return await this.parts.write(groups)
    } catch (error) {
      // Part of it may be on the disk, so the queue acknowledges none of it.
      const message = error instanceof Error ? error.message : String(error)
      const failures = groups.map((): Failure => ({ message, isBug: false }))
      return { failures, counts: new Map(), problem: message }
    }
  }

  private settleNoted(
    entries: readonly NotedEntry[],
    failures: readonly (Failure | undefined)[],
  ): void {
    if (entries.length === 0) return
    const wasSifting = this.isSifting
    this.isSifting = false
    this.isStuck = false
    entries.forEach((entry, index) => {
      const failure = failures[wasSifting ? index : 0]
      if (failure?.isBug === false) this.isStuck = true
      else if (failure !== undefined && !wasSifting) this.isSifting = true
      else this.forget(entry)
      if (failure?.isBug === true && wasSifting) this.parts.onLost(1, failure.message)
    })
  }

  private settleCommit(
    commit: Commit,
    failure: Failure | undefined,
    superseded: ReadonlyMap<string, Noted>,
  ): void {
    this.commitOperations -= commit.operations.length
    if (failure !== undefined) {
      commit.reject(new LedgerFault(failure.message))
      return
    }
    for (const operation of commit.operations) {
      const key = keyOf(operation)
      const noted = superseded.get(key)
      if (noted !== undefined) this.forget([key, noted])
    }
    commit.resolve()
  }

  /** Removes the note, unless a newer one replaced it meanwhile. */
  private forget([key, noted]: NotedEntry): void {
    if (this.noted.get(key) === noted) this.noted.delete(key)
  }

  private noteProblem(problem: string | undefined): void {
    const before = this.problem
    this.problem = problem
    if (problem !== undefined || this.isStuck) this.retryLater()
    if (problem === undefined) {
      this.isStuck = false
      this.lost = 0
    }
    if ((before === undefined) !== (problem === undefined)) this.parts.onProblem(problem)
  }
}

/** Names the subject of an operation: of several with one subject only the last counts. */
function keyOf(operation: LedgerOperation): string {
  switch (operation.kind) {
    case 'row':
      return `row ${operation.row.cid}`
    case 'enqueue':
      return `entry ${operation.entry.seq}`
    case 'dequeue':
      return `entry ${operation.seq}`
    case 'doubt':
      return `doubt ${operation.doubt.cid} ${operation.doubt.reason}`
    case 'settle':
      return `doubt ${operation.cid} ${operation.reason}`
    case 'news':
      return `news ${operation.news.seq}`
    case 'delivered':
      return `delivered ${operation.gateId}`
    case 'gate':
      return `gate ${operation.gateId}`
    case 'name':
      return `name ${operation.holder}`
    case 'taken-over':
    case 'cluster':
    case 'walks':
      return operation.kind
  }
}
