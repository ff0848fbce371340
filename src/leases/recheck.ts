/**
 * Leases that this gate wrote while it did not have the pin to itself, as far as it knows: another
 * gate may have written over them, or they over others'. So the pin is looked at again.
 */
import { AgingMap } from '../collections/aging-map.js'
import { type SetTimer, setTimer } from '../time/set-timer.js'
import { Aftercare } from './aftercare.js'
import type { Lease } from './lease.js'
import type { RecordOf } from './open-pin.js'
import type { PinRecord } from './pin-record.js'

export interface RecheckParts {
  /** Writes what is missing; false: there is nothing left to look after. */
  readonly restore: (cid: string) => Promise<boolean>
  readonly onError: (cid: string, error: unknown) => void
  readonly later?: SetTimer | undefined
  readonly now?: () => number
}

/** The longest that another gate's change may still be on its way, and some. */
const lookAfterMs = [200, 2000, 10_000, 40_000]

/** How long this gate answers for what it wrote. */
const keptMs = 120_000

/** Of more than these the oldest are forgotten: pins, and changes of one. */
const keptMin = 5000
const changesMax = 64

/** Looks that wait for others to end. */
const queueMax = 10_000

/** After an outage of the store there are many, and the cluster has other work as well. */
const atOnceMax = 4

interface Change {
  readonly before: PinRecord | undefined
  readonly after: RecordOf
}

/** What this gate has made of a pin's leases lately. */
export interface OwnLeases {
  readonly wanted: readonly Lease[]
  /** Holders that let go. */
  readonly released: ReadonlySet<string>
  /** The record as it was written last; undefined: it was unpinned. */
  readonly record: PinRecord | undefined
}

export class Recheck {
  private readonly kept = new AgingMap<{ readonly changes: Change[]; atMs: number }>(keptMin)
  private readonly aftercare: Aftercare
  private readonly now: () => number
  private underWay = 0
  private readonly queue: (() => void)[] = []

  constructor(private readonly parts: RecheckParts) {
    this.now = parts.now ?? Date.now
    const { onError } = parts
    const restore = (cid: string) => this.inTurn(cid)
    this.aftercare = new Aftercare({
      restore,
      onError,
      later: parts.later ?? setTimer,
      lookAfterMs,
    })
  }

  /** A record was written, or removed. */
  wrote(cid: string, before: PinRecord | undefined, after: RecordOf): void {
    const changes = [...this.changesOf(cid), { before, after }].slice(-changesMax)
    this.kept.set(cid, { changes, atMs: this.now() })
  }

  /** Another gate may have changed it at the same time. */
  doubtful(cid: string): void {
    this.aftercare.watch(cid)
  }

  /** The same may be so of all that was written lately. */
  allDoubtful(): void {
    for (const [cid, { atMs }] of this.kept.entries())
      if (atMs > this.now() - keptMs) this.doubtful(cid)
  }

  of(cid: string): OwnLeases {
    const wanted = new Map<string, Lease>()
    const released = new Set<string>()
    const changes = this.changesOf(cid)
    let record: PinRecord | undefined
    for (const { before, after } of changes) {
      record = after()
      const leases = record?.leases ?? []
      for (const { holder } of before?.leases ?? [])
        if (!leases.some((lease) => lease.holder === holder)) {
          released.add(holder)
          wanted.delete(holder)
        }
      for (const lease of leases) {
        const old = before?.leases.find(({ holder }) => holder === lease.holder)
        if (old?.untilMs === lease.untilMs && !wanted.has(lease.holder)) continue
        wanted.set(lease.holder, lease)
        released.delete(lease.holder)
      }
    }
    return { wanted: [...wanted.values()], released, record }
  }

  close(): void {
    this.queue.length = 0
    this.aftercare.close()
  }

  private async inTurn(cid: string): Promise<boolean> {
    // There is a later look.
    if (this.queue.length >= queueMax) return true
    if (this.underWay >= atOnceMax) await new Promise<void>((resolve) => this.queue.push(resolve))
    this.underWay++
    try {
      return await this.parts.restore(cid)
    } finally {
      this.underWay--
      this.queue.shift()?.()
    }
  }

  private changesOf(cid: string): readonly Change[] {
    const kept = this.kept.get(cid)
    return kept !== undefined && kept.atMs > this.now() - keptMs ? kept.changes : []
  }
}

/**
 * Undefined: nothing is missing.
 *
 * @param elsewhere what another gate wrote last
 */
export function putBack(
  read: PinRecord | undefined,
  own: OwnLeases,
  elsewhere: PinRecord | undefined,
  now: number,
): PinRecord | undefined {
  const theirs = (elsewhere?.leases ?? []).filter(({ holder }) => !own.released.has(holder))
  const missing = new Map<string, Lease>()
  for (const lease of [...theirs, ...own.wanted]) {
    const there = read?.leases.find(({ holder }) => holder === lease.holder)
    if (lease.untilMs > now && !(there !== undefined && there.untilMs >= lease.untilMs))
      missing.set(lease.holder, lease)
  }
  const base = read ?? own.record ?? elsewhere
  if (missing.size === 0 || base === undefined) return undefined
  const rest = (read?.leases ?? []).filter(({ holder }) => !missing.has(holder))
  const leases = [...rest, ...missing.values()]
  const expiresMs = Math.max(...leases.map(({ untilMs }) => untilMs))
  return { ...base, leases, former: [], expiresMs }
}
