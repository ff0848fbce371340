/** Who holds which pins: counted from the cluster's state, and kept up with what passes through. */
import type { RecordOf } from './ledger.js'
import { leasePrefix } from './lease.js'
import { type PinRecord, readPinRecord } from './pin-record.js'
import { SortedTexts } from './sorted-texts.js'

export interface HoldingsParts {
  /** Gives each line of the cluster's state: a pin's record. */
  readonly readState: (take: (line: Buffer) => void) => Promise<void>
  readonly onCounted: (pins: number, leases: number, ms: number) => void
  readonly onError: (error: unknown) => void
  readonly now?: () => number
}

/** Drift, by leases that ran out and by other hands, is corrected as often. */
const recountMs = 3_600_000

/** After a count that failed. */
const retryMs = 10_000

const marker = Buffer.from(`"${leasePrefix}`)

/**
 * In memory, some 90 bytes a lease. Nothing is counted until somebody asks: a count is one stream
 * of `/allocations`, which the cluster reads from its state alone.
 */
export class Holdings {
  private byHolder = new Map<string, SortedTexts>()
  /** While it is counted: what the stream may show as it was before. */
  private changed: Map<string, readonly string[]> | undefined
  private counting: Promise<void> | undefined
  private countedAt: number | undefined
  private triedAt = -Infinity
  private readonly now: () => number

  constructor(private readonly parts: HoldingsParts) {
    this.now = parts.now ?? Date.now
  }

  /** When it was last counted; undefined: never, so nothing is known. */
  get since(): number | undefined {
    return this.countedAt
  }

  /** Sees to it that there is a count, and that it is not too old; nobody waits for it. */
  ensure(): void {
    const age = this.now() - (this.countedAt ?? -Infinity)
    if (age < recountMs || this.now() - this.triedAt < retryMs) return
    this.triedAt = this.now()
    void this.count()
  }

  /** Counts now, or waits for the count that is under way. @returns whether all is known then */
  async count(): Promise<boolean> {
    this.counting ??= this.recount().finally(() => {
      this.counting = undefined
    })
    await this.counting
    return this.countedAt !== undefined
  }

  size(holder: string): number {
    return this.byHolder.get(holder)?.size ?? 0
  }

  /** CIDs in their order. */
  page(holder: string, after: string | undefined, count: number): readonly string[] {
    return this.byHolder.get(holder)?.page(after, count) ?? []
  }

  /** A record was written, or is gone. */
  note(cid: string, before: PinRecord | undefined, after: RecordOf): void {
    if (this.changed === undefined && this.countedAt === undefined) return
    const holders = holdersOf(after())
    this.changed?.set(cid, holders)
    if (this.countedAt === undefined) return
    for (const holder of holdersOf(before))
      if (!holders.includes(holder)) this.byHolder.get(holder)?.delete(cid)
    for (const holder of holders) this.textsOf(this.byHolder, holder).add(cid)
  }

  private async recount(): Promise<void> {
    const startMs = performance.now()
    const byHolder = new Map<string, SortedTexts>()
    const changed = (this.changed = new Map<string, readonly string[]>())
    const now = this.now()
    let [pins, leases] = [0, 0]
    const add = (cid: string, holders: readonly string[]): void => {
      leases += holders.length
      for (const holder of holders) this.textsOf(byHolder, holder).push(cid)
    }
    try {
      await this.parts.readState((line) => {
        pins++
        if (!line.includes(marker)) return
        const record = readPinRecord(line.toString())
        if (!changed.has(record.cid)) add(record.cid, holdersOf(record, now))
      })
      for (const [cid, holders] of changed) add(cid, holders)
      this.byHolder = byHolder
      this.countedAt = this.now()
      this.parts.onCounted(pins, leases, performance.now() - startMs)
    } catch (error) {
      this.parts.onError(error)
    } finally {
      this.changed = undefined
    }
  }

  private textsOf(byHolder: Map<string, SortedTexts>, holder: string): SortedTexts {
    let texts = byHolder.get(holder)
    if (texts === undefined) byHolder.set(holder, (texts = new SortedTexts()))
    return texts
  }
}

const holdersOf = (record: PinRecord | undefined, now = -Infinity): readonly string[] =>
  (record?.leases ?? []).filter(({ untilMs }) => untilMs > now).map(({ holder }) => holder)
