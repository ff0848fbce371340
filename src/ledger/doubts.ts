/** CIDs in doubt: checks each one when it is due, until the last check agrees. */
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Clock } from '../time/clock.js'
import { hourMs } from '../time/units.js'
import { type Doubt, doubtDelays, type DoubtReason } from './doubt.js'
import type { Repair } from './reconciler.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface DoubtsParts extends Clock {
  readonly storage: Pick<LedgerStorage, 'note' | 'contents'>
  readonly reconcile: (cid: string) => Promise<Repair>
  /** Called after a check of a CID, once its outcome is noted. */
  readonly onLooked: (cid: string) => void
  /** Called when there are too many doubts to keep each one. */
  readonly onTooMany: () => void
  readonly log: Logger
  readonly isAvailable: () => boolean
}

/** Most doubts; beyond it a walk checks all of the last writes instead. */
const doubtsMax = 50_000

/** The cluster also has other work. */
const atOnceMax = 8

/** Delay after a failed check, and after a repair in the last check. */
const retryMs = 5000

/** Delay after a refusal, which only an operator can resolve. */
const rejectedMs = hourMs

const landing = ['unknown-outcome', 'in-flight', 'near-sweep', 'after-crash', 'peer-back'] as const

interface Due {
  readonly cid: string
  readonly reason: DoubtReason
  attempt: number
  /** By the monotonic clock. */
  startedMs: number
  dueMs: number
}

export class Doubts {
  private readonly byCid = new Map<string, Map<DoubtReason, Due>>()
  /** From an earlier run, and not checked since. */
  private readonly unseen = new Set<string>()
  private readonly scheduler: Scheduler
  private count = 0

  constructor(private readonly parts: DoubtsParts) {
    this.scheduler = new Scheduler(() => this.round(), parts)
  }

  /**
   * Loads the doubts of an earlier run. All are checked now, as no gate was checking meanwhile;
   * this check comes in addition to the others.
   */
  start(): void {
    const { storage, now, monotonic } = this.parts
    const startedMs = monotonic()
    for (const { cid, reason, attempt, dueMs } of storage.contents.doubts) {
      const leftMs = Math.min(Math.max(dueMs - now(), 0), delayOf(reason, attempt))
      this.put({ cid, reason, attempt, startedMs, dueMs: startedMs + leftMs })
      this.unseen.add(cid)
    }
    if (this.count > 0) this.scheduler.runWithin(0)
  }

  get size(): number {
    return this.count
  }

  has(cid: string): boolean {
    return this.byCid.has(cid)
  }

  /** Whether a write of the CID may still land, as far as the gate knows. */
  mayLand(cid: string): boolean {
    const reasons = this.byCid.get(cid)
    return landing.some((reason) => reasons?.has(reason) === true)
  }

  /** Milliseconds since the oldest one began; undefined: no doubt. */
  get oldestMs(): number | undefined {
    if (this.count === 0) return undefined
    let startedMs = Infinity
    for (const due of this.all()) startedMs = Math.min(startedMs, due.startedMs)
    return this.parts.monotonic() - startedMs
  }

  /** Starts again with the first check if the CID was already in doubt for the same reason. */
  add(cid: string, reason: DoubtReason): void {
    const { monotonic, onTooMany } = this.parts
    if (this.count >= doubtsMax) {
      onTooMany()
      return
    }
    const startedMs = monotonic()
    this.put({ cid, reason, attempt: 0, startedMs, dueMs: startedMs + delayOf(reason, 0) })
    this.keep(cid, reason)
    this.scheduler.runWithin(delayOf(reason, 0))
  }

  /** Forgets all doubts, as they belonged to another cluster. */
  clear(): void {
    this.byCid.clear()
    this.unseen.clear()
    this.count = 0
  }

  close(): void {
    this.scheduler.close()
  }

  private *all(): Generator<Due> {
    for (const reasons of this.byCid.values()) yield* reasons.values()
  }

  private put(due: Due): void {
    const reasons = this.byCid.get(due.cid) ?? new Map<DoubtReason, Due>()
    if (!reasons.has(due.reason)) this.count++
    this.byCid.set(due.cid, reasons.set(due.reason, due))
  }

  private keep(cid: string, reason: DoubtReason): void {
    const { storage, now, monotonic } = this.parts
    const due = this.byCid.get(cid)?.get(reason)
    if (due === undefined) return
    const { attempt, dueMs } = due
    const doubt: Doubt = { cid, reason, attempt, dueMs: now() + dueMs - monotonic() }
    void storage.note([{ kind: 'doubt', doubt }])
  }

  /** @returns milliseconds to the next one */
  private async round(): Promise<number | undefined> {
    const { isAvailable, monotonic } = this.parts
    if (this.count > 0 && !isAvailable()) return retryMs
    const nowMs = monotonic()
    const due = new Set(this.unseen)
    for (const { cid, dueMs } of this.all()) if (dueMs <= nowMs) due.add(cid)
    const cids = due.values()
    const workers = Array.from({ length: atOnceMax }, async () => {
      for (const cid of cids) await this.look(cid)
    })
    await Promise.all(workers)
    let nextMs = this.unseen.size > 0 ? monotonic() + retryMs : Infinity
    for (const { dueMs } of this.all()) nextMs = Math.min(nextMs, dueMs)
    return nextMs === Infinity ? undefined : Math.max(0, nextMs - monotonic())
  }

  private async look(cid: string): Promise<void> {
    const { reconcile, log, monotonic } = this.parts
    const startMs = monotonic()
    // A check that began before the doubt says nothing about it.
    const looked = [...(this.byCid.get(cid)?.values() ?? [])].filter(
      ({ dueMs }) => dueMs <= startMs,
    )
    try {
      const repair = await reconcile(cid)
      this.unseen.delete(cid)
      if (repair.kind === 'rejected') {
        log(
          'error',
          { cid, message: repair.message },
          'the cluster refused a pin that the ledger owes',
        )
        for (const due of looked) due.dueMs = monotonic() + rejectedMs
        return
      }
      const isChanged = repair.kind === 'repaired' || repair.kind === 'taken-down'
      for (const due of looked) this.advance(due, !isChanged)
      this.parts.onLooked(cid)
    } catch (err) {
      for (const due of looked) due.dueMs = monotonic() + retryMs
      log('warn', { cid, err }, 'could not verify a pin in doubt yet')
    }
  }

  /** @param isAgreed false: a restored pin is checked once more */
  private advance(due: Due, isAgreed: boolean): void {
    const { cid, reason } = due
    const reasons = this.byCid.get(cid)
    // It may have started again meanwhile.
    if (reasons?.get(reason) !== due) return
    const delays = doubtDelays[reason]
    const isLast = due.attempt + 1 >= delays.length
    if (isLast && isAgreed) {
      reasons.delete(reason)
      this.count--
      if (reasons.size === 0) this.byCid.delete(cid)
      void this.parts.storage.note([{ kind: 'settle', cid, reason }])
      return
    }
    const passedMs = delayOf(reason, due.attempt)
    if (!isLast) due.attempt++
    const waitMs = isLast ? retryMs : delayOf(reason, due.attempt) - passedMs
    due.dueMs = this.parts.monotonic() + waitMs
    this.keep(cid, reason)
  }
}

const delayOf = (reason: DoubtReason, attempt: number): number => doubtDelays[reason][attempt] ?? 0
