/** How many leases each holder has, and which: as the ledger knows it. */
import { KeyedCounter } from '../collections/keyed-counter.js'
import { leasePrefix } from '../leases/lease.js'
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { SetTimer } from '../time/set-timer.js'
import type { ClusterPort } from './cluster-port.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface HoldingsParts {
  readonly storage: Pick<LedgerStorage, 'contents' | 'compare' | 'count' | 'held' | 'row'>
  readonly cluster: Pick<ClusterPort, 'readState'>
  /** Whether a walk has still to see what the cluster lost: until then nothing is missing. */
  readonly isWalking: () => boolean
  /** How often the ledger is compared with the cluster's whole state. */
  readonly intervalMs: number
  /** So many rows are not in the cluster any more, though no crash can have taken them. */
  readonly onMissing: (missing: number) => void
  readonly log: Logger
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly monotonic: () => number
  readonly setTimer: SetTimer
}

/** After a comparison that failed. */
const retryMs = 10_000

/** Lines that are handed on together. */
const batchLines = 256

const marker = Buffer.from(`"${leasePrefix}`)

export class Holdings {
  private comparedMs: number | undefined
  private comparing: Promise<boolean> | undefined
  private isWanted = false
  /** Of leases that the storage has not counted yet. */
  private readonly ahead = new KeyedCounter()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: HoldingsParts) {
    const { monotonic: now, setTimer, storage } = parts
    this.comparedMs = storage.contents.comparedMs
    this.scheduler = new Scheduler({
      now,
      setTimer,
      round: async () => ((await this.compare()) ? parts.intervalMs : retryMs),
    })
  }

  /** When the ledger was compared with the whole state; undefined: never, so it may lack leases. */
  get since(): number | undefined {
    return this.comparedMs
  }

  /** Sees to it that there is a comparison, and that it is not too old; nobody waits for it. */
  ensure(): void {
    if (this.isWanted) return
    this.isWanted = true
    const ageMs = Math.max(0, this.parts.now() - (this.comparedMs ?? -Infinity))
    this.scheduler.runWithin(Math.max(0, this.parts.intervalMs - ageMs))
  }

  /** Compares within this time, as the cluster may have what the ledger does not know. */
  soon(withinMs = 0): void {
    this.isWanted = true
    this.scheduler.runWithin(withinMs)
  }

  /** Compares now, or waits for the comparison under way. @returns whether it came to its end */
  refresh(): Promise<boolean> {
    return this.compare()
  }

  /** Compares now, or waits for the comparison under way. @returns whether all is known then */
  async count(): Promise<boolean> {
    await this.compare()
    return this.comparedMs !== undefined
  }

  size(holder: string): number {
    return Math.max(0, this.parts.storage.count(holder) + this.ahead.of(holder))
  }

  /** @param kept settles when the storage counts them */
  note(added: readonly string[], gone: readonly string[], kept: Promise<void>): void {
    if (added.length === 0 && gone.length === 0) return
    const change = (by: 1 | -1): void => {
      for (const holder of added) this.ahead.add(holder, by)
      for (const holder of gone) this.ahead.add(holder, -by)
    }
    change(1)
    const done = (): void => {
      change(-1)
    }
    kept.then(done, done)
  }

  /** @throws LedgerFault */
  async holds(cid: string, holder: string): Promise<boolean> {
    const row = await this.parts.storage.row(cid)
    const now = this.parts.now()
    return row?.leases.some((lease) => lease.holder === holder && lease.untilMs > now) === true
  }

  /** CIDs in a stable order. @throws LedgerFault */
  page(holder: string, after: string | undefined, count: number): Promise<readonly string[]> {
    return this.parts.storage.held(holder, after, count)
  }

  close(): void {
    this.scheduler.close()
  }

  private compare(): Promise<boolean> {
    this.comparing ??= this.compareAll().finally(() => {
      this.comparing = undefined
    })
    return this.comparing
  }

  private async compareAll(): Promise<boolean> {
    const { storage, cluster, onMissing, isWalking, log, monotonic, now } = this.parts
    if (isWalking()) return false
    const startMs = monotonic()
    let pins = 0
    let batch: string[] = []
    try {
      const comparison = await storage.compare()
      const flush = (): Promise<void> => {
        const lines = batch
        batch = []
        return comparison.see(lines)
      }
      try {
        await cluster.readState((line) => {
          pins++
          if (!line.includes(marker)) return undefined
          return batch.push(line.toString()) < batchLines ? undefined : flush()
        })
        await flush()
        if (isWalking()) throw new Error('the cluster was away meanwhile')
      } catch (error) {
        await comparison.abandon()
        throw error
      }
      const { leases, adopted, missing } = await comparison.end()
      this.comparedMs = now()
      const durationMs = Math.round(monotonic() - startMs)
      log('info', { pins, leases, adopted, missing, durationMs }, 'leases counted')
      if (missing > 0) onMissing(missing)
      return true
    } catch (err) {
      log('warn', { err }, 'leases could not be counted')
      return false
    }
  }
}
