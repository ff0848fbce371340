/** Bounded places for one kind of work: owners take turns, and each leaves places to the others. */
import { KeyedCounter } from '../collections/keyed-counter.js'

/** Owner of the gate's own work. */
export const gateItself = ''

/** A place in a lane, or in the queue before it. */
export interface LanePlace {
  /** Whether the work was begun. */
  readonly isTaken: boolean
  /** Calls back once; at once if a place is free. */
  begin(start: () => void): void
  /** Another owner waits for the same work: it starts with the first turn of either. */
  join(owner: string): void
  /** The owner stops waiting. */
  part(owner: string): void
  /** The work has ended, or was dropped. */
  leave(): void
}

/**
 * An owner has at most as many places as it leaves free: two greedy owners leave a quarter, and the
 * next one finds a place. The same holds for the queue.
 */
export class Lane {
  private readonly running = new KeyedCounter()
  private runningAll = 0
  /** In the order of their turns. */
  private readonly waiting = new Map<string, Set<OwnPlace>>()
  private readonly places = new Set<OwnPlace>()

  constructor(
    private readonly max: number,
    private readonly waitingMax: number,
  ) {}

  /** Running and waiting work. */
  get size(): number {
    return this.runningAll + this.places.size
  }

  get isWaitedFor(): boolean {
    return this.places.size > 0
  }

  /** @returns undefined when the queue is full */
  reserve(owner: string): LanePlace | undefined {
    const waiting = this.waiting.get(owner)?.size ?? 0
    const place = new OwnPlace(this, owner)
    if (waiting === 0 && this.hasRoom(owner)) this.run(place, owner)
    else if (waiting >= this.waitingMax - this.places.size) return undefined
    else this.wait(place, owner)
    return place
  }

  /** Used by its places. */
  wait(place: OwnPlace, owner: string): void {
    this.places.add(place)
    const waiting = this.waiting.get(owner) ?? new Set()
    this.waiting.set(owner, waiting.add(place))
  }

  /** Used by its places. */
  part(place: OwnPlace, owner: string): void {
    const waiting = this.waiting.get(owner)
    if (waiting?.delete(place) === true && waiting.size === 0) this.waiting.delete(owner)
  }

  /** Used by its places. @param runner whose turn it was; undefined: it still waits */
  leave(place: OwnPlace, runner: string | undefined): void {
    this.places.delete(place)
    for (const owner of place.owners) this.part(place, owner)
    if (runner === undefined) return
    this.running.add(runner, -1)
    this.runningAll--
    while (this.startNext());
  }

  private hasRoom(owner: string): boolean {
    return this.running.of(owner) < this.max - this.runningAll
  }

  private run(place: OwnPlace, owner: string): void {
    this.running.add(owner)
    this.runningAll++
    place.take(owner)
  }

  private startNext(): boolean {
    if (this.runningAll >= this.max) return false
    for (const [owner, [next]] of this.waiting) {
      if (next === undefined || !this.hasRoom(owner)) continue
      this.places.delete(next)
      for (const each of next.owners) this.part(next, each)
      // Lets the others go first.
      const rest = this.waiting.get(owner)
      if (rest !== undefined) {
        this.waiting.delete(owner)
        this.waiting.set(owner, rest)
      }
      this.run(next, owner)
      return true
    }
    return false
  }
}

class OwnPlace implements LanePlace {
  readonly owners: Set<string>
  private runner: string | undefined
  private isOver = false
  private start: (() => void) | undefined

  constructor(
    private readonly lane: Lane,
    owner: string,
  ) {
    this.owners = new Set([owner])
  }

  get isTaken(): boolean {
    return this.runner !== undefined
  }

  begin(start: () => void): void {
    if (this.isTaken && !this.isOver) start()
    else this.start = start
  }

  take(runner: string): void {
    this.runner = runner
    this.start?.()
  }

  join(owner: string): void {
    if (this.isOver || this.isTaken || this.owners.has(owner)) return
    this.owners.add(owner)
    this.lane.wait(this, owner)
  }

  part(owner: string): void {
    if (!this.owners.delete(owner) || this.isTaken) return
    this.lane.part(this, owner)
  }

  leave(): void {
    if (this.isOver) return
    this.isOver = true
    this.lane.leave(this, this.runner)
  }
}
