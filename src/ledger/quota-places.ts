/**
 * Quota places that the storage does not count yet: pins that are being written, have an unknown
 * outcome, or wait in the queue. A CID takes one place of a holder, for any number of reasons.
 */
import { KeyedCounter } from '../collections/keyed-counter.js'

export interface Place {
  /** Later calls do nothing. */
  free(): void
}

export interface Taking {
  readonly holder: string
  readonly cid: string
  /** Until when the holder has a lease of the CID, which the storage counts; undefined: none. */
  readonly heldUntilMs?: number | undefined
  /** The end of the lease that will be written. */
  readonly untilMs?: number
  /** The cluster has it; only the ledger's disk is behind. */
  readonly isWritten?: boolean
}

export class Places {
  private readonly byHolder = new Map<string, PlacesOfHolder>()

  /** @param now milliseconds since the epoch */
  constructor(private readonly now: () => number) {}

  /** In the same step that checks whether there is room. */
  take(taking: Taking): Place {
    const { holder, cid, heldUntilMs: fromMs = -Infinity, untilMs = Infinity } = taking
    const places = this.byHolder.get(holder) ?? new PlacesOfHolder()
    this.byHolder.set(holder, places)
    const isWritten = taking.isWritten === true
    const taken = { cid, isWritten, fromMs, untilMs, isCounted: false }
    places.add(taken, this.now())
    let isTaken = true
    const free = (): void => {
      if (isTaken && places.remove(taken) && this.byHolder.get(holder) === places)
        this.byHolder.delete(holder)
      isTaken = false
    }
    return { free }
  }

  /** CIDs of the holder beyond those that the storage counts. */
  size(holder: string): number {
    return this.of(holder)?.taken.size ?? 0
  }

  /** The number of these that the cluster may not have yet. */
  unwritten(holder: string): number {
    return this.of(holder)?.unwritten.size ?? 0
  }

  has(holder: string, cid: string): boolean {
    return this.of(holder)?.taken.has(cid) === true
  }

  isUnwritten(holder: string, cid: string): boolean {
    return this.of(holder)?.unwritten.has(cid) === true
  }

  private of(holder: string): PlacesOfHolder | undefined {
    const places = this.byHolder.get(holder)
    places?.look(this.now())
    return places
  }
}

interface Taken {
  readonly cid: string
  readonly isWritten: boolean
  readonly fromMs: number
  readonly untilMs: number
  isCounted: boolean
}

class PlacesOfHolder {
  readonly taken = new KeyedCounter()
  readonly unwritten = new KeyedCounter()
  /** Places that start or stop counting by themselves. */
  private readonly timed = new Set<Taken>()
  private lookedMs = -Infinity
  private nextMs = Infinity

  add(taken: Taken, nowMs: number): void {
    if (taken.fromMs !== -Infinity || taken.untilMs !== Infinity) this.timed.add(taken)
    this.update(taken, nowMs)
  }

  /** @returns whether nothing is left */
  remove(taken: Taken): boolean {
    this.timed.delete(taken)
    this.count(taken, false)
    return this.taken.size === 0 && this.timed.size === 0
  }

  /** Also after a clock was put back. */
  look(nowMs: number): void {
    const isSame = nowMs >= this.lookedMs && nowMs < this.nextMs
    this.lookedMs = nowMs
    if (isSame) return
    this.nextMs = Infinity
    for (const taken of this.timed) this.update(taken, nowMs)
  }

  private update(taken: Taken, nowMs: number): void {
    const { fromMs, untilMs } = taken
    this.count(taken, fromMs <= nowMs && nowMs < untilMs)
    for (const ms of [fromMs, untilMs]) if (ms > nowMs) this.nextMs = Math.min(this.nextMs, ms)
  }

  private count(taken: Taken, isCounted: boolean): void {
    if (taken.isCounted === isCounted) return
    taken.isCounted = isCounted
    this.taken.add(taken.cid, isCounted ? 1 : -1)
    if (!taken.isWritten) this.unwritten.add(taken.cid, isCounted ? 1 : -1)
  }
}
