/**
 * One change of a pin at a time among all gates: a lock with an end (https://redis.io/docs/latest/
 * develop/clients/patterns/distributed-locks/), and beside it what was written last. A lock can be
 * lost, so no gate relies on it alone: one that did not have it to the end looks at the pin again.
 */
import { randomBytes } from 'node:crypto'
import { AgingMap } from '../collections/aging-map.js'
import { landingMs } from '../ledger/doubt.js'
import { LockTimeout } from '../ledger/cid-locks.js'
import type { Crowd, GateLock, GateLocks, OnLost, UnpinBudget } from '../ledger/gate-locks.js'
import { clock, type Timers } from '../time/clock.js'
import { checkScript, endScript, rowStates, spendScript, takeScript } from './lock-scripts.js'
import { StoreFault } from './store-fault.js'
import type { Store } from './store.js'

export interface SharedLocksParts extends Partial<Timers> {
  readonly store: Store
  /** Id in the ledger: after a restart, a gate inherits the locks of its previous run. */
  readonly gateId: string
  /** Differs from those of all runs before: eight characters. */
  readonly runId?: string
  /** From 0 to 1. */
  readonly random?: () => number
}

/** As long as a gate remembers its own writes. */
const writtenMs = 300_000

/** For so long a change may not be seen in the cluster, with CRDT batching, and some rounds. */
const unseenMs = 30_000
const unseenMin = 256
const checkMs = 5000

/** Margin by which a lock outlives the longest change. */
const marginMs = 10_000

/** Average time between two attempts at a lock of another gate. */
const pollMs = 20

/** Delay before a release is repeated. */
const retryMs = 1000

/** Most releases that are repeated; older ones run out by themselves. */
const endsMax = 10_000

/** The id of a gate's ledger, and behind it that of its run. */
const runIdChars = 16

/** First of an answer: the secret in the store is not the one that this gate knows. */
const anothers = 2

type Taken = [isTaken: number, written?: string | null, open?: readonly string[]]
type Ended = [isAlone: number, open: readonly string[]]

/** Under one lock. */
interface Change {
  readonly cid: string
  /** Of the lock. */
  readonly token: string
  readonly leaseToken: string
  readonly lockMs: number
}

/** A lock to release in the store. */
interface End extends Change {
  readonly written: string
  readonly isOver: boolean
  readonly untilMs: number
}

interface StoredRow {
  readonly mark: string
  readonly atMs: number
}

const told: StoredRow = { mark: '', atMs: -Infinity }

export class SharedLocks implements GateLocks {
  private readonly store: Store
  private readonly run: string
  private readonly timers: Timers
  private count = 0
  /** Pending releases of locks that the store may hold, and of attempts that may still reach it. */
  private readonly ends = new Map<string, End>()
  /** Rows that the store has confirmed, by CID. */
  private rows = new AgingMap<StoredRow>(unseenMin)
  private readonly onLost = new Set<OnLost>()
  private cancelCheck: (() => void) | undefined
  private cancelRetry: (() => void) | undefined
  private isClosed = false

  constructor(private readonly parts: SharedLocksParts) {
    const { store, gateId, runId = randomBytes(4).toString('hex') } = parts
    this.store = store
    this.run = gateId + runId
    const { setTimer = clock.setTimer, monotonic = clock.monotonic } = parts
    this.timers = { setTimer, monotonic }
  }

  whenDown(call: () => void): void {
    this.store.whenDown(call)
  }

  whenLost(call: OnLost): void {
    this.onLost.add(call)
  }

  async acquire(cid: string, timeoutMs: number, leaseToken: string): Promise<GateLock> {
    const { random = Math.random } = this.parts
    const token = `${this.run}.${++this.count}`
    const lockMs = Math.ceil(timeoutMs + marginMs)
    const change = { cid, token, leaseToken, lockMs }
    const untilMs = this.timers.monotonic() + timeoutMs
    for (;;) {
      const taken = await this.take(change)
      if (taken === undefined) return this.lockOf(change, undefined)
      if (taken[0] === 1) return this.lockOf(change, taken)
      if (taken[0] === anothers) await this.store.learn()
      if (this.timers.monotonic() > untilMs) throw new LockTimeout()
      await new Promise<void>((resolve) => {
        this.timers.setTimer(pollMs * (0.5 + random()), resolve)
      })
    }
  }

  async spend({ name, max, withinMs }: UnpinBudget, cids: readonly string[]): Promise<boolean> {
    const { store } = this
    const key = store.key('{gates}', 'unpinned', name)
    const hasRoom = await store.ask(
      () => store.redis.eval(spendScript, 1, key, max, withinMs, ...cids) as Promise<number>,
    )
    if (hasRoom === undefined) throw new StoreFault('store-unavailable')
    return hasRoom === 1
  }

  close(): void {
    this.isClosed = true
    this.cancelRetry?.()
    this.cancelCheck?.()
  }

  /**
   * @returns undefined: the change continues without the lock
   * @throws StoreFault
   */
  private async take(change: Change): Promise<Taken | undefined> {
    const { store, parts } = this
    const { cid, token, leaseToken, lockMs } = change
    const giveUp = (isOver: boolean): void => {
      // The packet may only be late: then no gate would know of the lock that it takes.
      this.endLater({ ...change, written: '', isOver })
    }
    try {
      const taken = await store.askForRequest(
        () =>
          store.redis.eval(
            takeScript,
            ...[5, ...this.keys(cid, token), store.secretKey],
            ...[parts.gateId, token, lockMs, landingMs, store.secret, leaseToken],
          ) as Promise<Taken>,
      )
      if (taken === undefined) giveUp(false)
      return taken
    } catch (error) {
      giveUp(true)
      throw error
    }
  }

  private lockOf(change: Change, taken: Taken | undefined): GateLock {
    const [, found, open = []] = taken ?? []
    const isForeign = typeof found === 'string' && !found.startsWith(this.run)
    return {
      isTaken: taken !== undefined,
      written: isForeign ? found.slice(runIdChars) : undefined,
      open: this.othersIn(open),
      release: async (written, isOver, mark = '') => {
        // An abandoned attempt is already ended by its token, and must not become another's lock.
        const end = { ...change, isOver: isOver && taken !== undefined }
        const value = written === undefined ? '' : this.run + written
        return this.end({ ...end, written: taken === undefined ? '' : value }, mark)
      },
    }
  }

  private async end(end: Omit<End, 'untilMs'>, mark: string): Promise<Crowd> {
    const ended = await this.askToEnd(end)
    if (ended === undefined) {
      this.endLater(end)
      return 'unknown'
    }
    this.ends.delete(end.token)
    if (ended[0] !== 1) return 'unknown'
    if (mark !== '') {
      this.rows.set(end.cid, { mark, atMs: this.timers.monotonic() })
      this.checkLater()
    }
    return this.othersIn(ended[1]).length > 0 ? 'crowded' : 'alone'
  }

  private askToEnd(end: Omit<End, 'untilMs'>) {
    const { store } = this
    const { cid, token, leaseToken, written, lockMs, isOver } = end
    return store.ask(
      () =>
        store.redis.eval(
          endScript,
          ...[4, ...this.keys(cid, token)],
          ...[token, written, writtenMs, lockMs, landingMs, isOver ? 1 : 0],
          ...[leaseToken, this.parts.gateId],
        ) as Promise<Ended>,
    )
  }

  /** Retries until the store has processed it, or the lock has expired. */
  private endLater(end: Omit<End, 'untilMs'>): void {
    if (this.ends.size >= endsMax) {
      const [oldest] = this.ends.keys()
      if (oldest !== undefined) this.ends.delete(oldest)
    }
    this.ends.set(end.token, { ...end, untilMs: this.timers.monotonic() + end.lockMs })
    this.retryWithin(0)
  }

  private retryWithin(ms: number): void {
    if (this.isClosed) return
    this.cancelRetry ??= this.timers.setTimer(ms, () => {
      this.cancelRetry = undefined
      void this.retry()
    })
  }

  private async retry(): Promise<void> {
    const nowMs = this.timers.monotonic()
    for (const [token, end] of [...this.ends]) {
      if (end.untilMs <= nowMs) this.ends.delete(token)
      else if (this.store.isUp && (await this.askToEnd(end)) !== undefined) {
        if (this.ends.get(token) === end) this.ends.delete(token)
      }
    }
    if (this.ends.size > 0) this.retryWithin(retryMs)
  }

  private checkLater(): void {
    if (this.isClosed) return
    this.cancelCheck ??= this.timers.setTimer(checkMs, () => {
      this.cancelCheck = undefined
      void this.check()
    })
  }

  /** A store that evicts keys, or whose replica took over, has lost some without a sign of it. */
  private async check(): Promise<void> {
    const { store } = this
    const sinceMs = this.timers.monotonic() - unseenMs
    const rows = [...this.rows.entries()].filter(([, { atMs }]) => atMs > sinceMs)
    if (rows.length === 0) return
    const keys = rows.map(([cid]) => this.rowKey(cid))
    const marks = rows.map(([, { mark }]) => mark)
    const found = await store.ask(
      () =>
        store.redis.eval(checkScript, keys.length, ...keys, ...marks) as Promise<readonly number[]>,
    )
    if (found?.includes(rowStates.gone) === true) {
      this.rows = new AgingMap(unseenMin)
      for (const call of this.onLost) call()
    }
    for (const [at, [cid]] of rows.entries()) {
      if (found?.[at] !== rowStates.anothers) continue
      this.rows.set(cid, told)
      for (const call of this.onLost) call(cid)
    }
    this.checkLater()
  }

  /** Changes of other gates that may still land, by the tokens of their leases. */
  private othersIn(open: readonly string[]): readonly string[] {
    const { gateId } = this.parts
    const others = open.filter((_, at) => at % 2 === 1 && !open[at - 1]?.startsWith(gateId))
    return others.map((change) => change.split('/')[0] ?? '')
  }

  private keys(cid: string, token: string): readonly string[] {
    const of = (...parts: readonly string[]): string => this.store.key(`{${cid}}`, ...parts)
    return [of('turn'), this.rowKey(cid), of('open'), of('ended', token)]
  }

  private rowKey(cid: string): string {
    return this.store.key(`{${cid}}`, 'row')
  }
}
