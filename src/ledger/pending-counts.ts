/** Counts the pending pins of each holder: one cheap request for all callers. */
import { readLease } from '../leases/lease.js'

export interface PendingCountsParts {
  /** Pins that are counted elsewhere, as it is unknown whether the cluster has them. */
  readonly isUnwritten: (holder: string, cid: string) => boolean
  /** Gives the status of each pin that is queued or being pinned, from the cluster's memory. */
  readonly readPending: (take: (line: Buffer) => void) => Promise<void>
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number
}

/** How long an answer is valid; pins that were accepted since are added to it. */
const freshMs = 1000

export class PendingCounts {
  private counts = new Map<string, number>()
  /** Since the last request, by holder. */
  private readonly accepted = new Map<string, Set<string>>()
  private askedAt = -Infinity
  private asking: Promise<void> | undefined
  private readonly now: () => number

  constructor(private readonly parts: PendingCountsParts) {
    this.now = parts.now ?? (() => performance.now())
  }

  /** @returns undefined when the cluster does not say */
  async of(holder: string): Promise<number | undefined> {
    if (!this.isFresh) {
      this.asking ??= this.ask().finally(() => {
        this.asking = undefined
      })
      try {
        await this.asking
      } catch {
        return undefined
      }
    }
    return (this.counts.get(holder) ?? 0) + (this.accepted.get(holder)?.size ?? 0)
  }

  /** Called when a pin was accepted. A stale answer is requested again, and then includes it. */
  accept(holder: string, cid: string): void {
    if (this.asking === undefined && !this.isFresh) return
    const accepted = this.accepted.get(holder) ?? new Set()
    this.accepted.set(holder, accepted.add(cid))
  }

  private get isFresh(): boolean {
    return this.now() - this.askedAt < freshMs
  }

  private async ask(): Promise<void> {
    const askedAt = this.now()
    const counts = new Map<string, number>()
    this.accepted.clear()
    await this.parts.readPending((line) => {
      const { cid, metadata } = JSON.parse(line.toString()) as {
        cid: string
        metadata?: Record<string, string> | null
      }
      for (const [key, value] of Object.entries(metadata ?? {})) {
        const entry = readLease(key, value)
        if (entry?.kind !== 'lease') continue
        const { holder } = entry.lease
        const isCounted = this.accepted.get(holder)?.has(cid) === true
        if (isCounted || this.parts.isUnwritten(holder, cid)) continue
        counts.set(holder, (counts.get(holder) ?? 0) + 1)
      }
    })
    this.counts = counts
    this.askedAt = askedAt
  }
}
