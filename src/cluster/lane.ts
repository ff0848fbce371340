/** Bounded places for one kind of work: owners take turns, and each leaves places to the others. */

/** Owner of the gate's own work. */
export const gateItself = ''

/** A place in a lane, or in the queue before it. */
export interface LanePlace {
  /** Whether the work has begun. */
  readonly isTaken: boolean
  /** Calls back once, immediately if a place is free. */
  begin(start: () => void): void
  /** Another owner waits for the same work: it starts with the first turn of either. */
  join(owner: string): void
  /** The owner stops waiting. */
  part(owner: string): void
  /** The work has ended, or was dropped. */
  leave(): void
}

/** The running and waiting work of one owner. */
interface Share {
  readonly owner: string
  running: number
  readonly waiting: OwnPlace[]
}

/** Most shares of owners without work that are kept for reuse. */
const idleSharesMax = 1000

/**
 * An owner has at most as many places as it leaves free: two greedy owners leave a quarter, and the
 * next one finds a place. The same holds for the queue. Lists rather than Sets, for the reason
 * given in unordered-list.ts.
 */
export class Lane {
  private readonly shares = new Map<string, Share>()
  /** Owners that wait, in the order of their turns. */
  private readonly turns: string[] = []
  private running = 0
  private waiting = 0
  private whenEmpty: (() => void)[] = []

  constructor(
    private readonly max: number,
    private readonly waitingMax: number,
  ) {}

  /** Running and waiting work. */
  get size(): number {
    return this.running + this.waiting
  }

  /** Resolves when there is neither running nor waiting work. */
  async emptied(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.whenEmpty.push(resolve))
  }

  get isWaitedFor(): boolean {
    return this.waiting > 0
  }

  /** @returns undefined when the queue is full */
  reserve(owner: string): LanePlace | undefined {
    const share = this.shareOf(owner)
    const place = new OwnPlace(this, owner)
    if (share.waiting.length === 0 && this.hasRoom(share)) this.run(place, share)
    else if (share.waiting.length >= this.waitingMax - this.waiting) return undefined
    else {
      this.waiting++
      this.wait(place, owner)
    }
    return place
  }

  /** Used by its places. */
  wait(place: OwnPlace, owner: string): void {
    const { waiting } = this.shareOf(owner)
    if (waiting.push(place) === 1) this.turns.push(owner)
  }

  /** Used by its places. */
  part(place: OwnPlace, owner: string): void {
    const share = this.shareOf(owner)
    const { waiting } = share
    if (!without(waiting, place) || waiting.length > 0) return
    without(this.turns, owner)
    this.drop(share)
  }

  /** Used by its places. @param runner whose turn it was; undefined: it still waits */
  leave(place: OwnPlace, runner: Share | undefined): void {
    if (runner === undefined) {
      this.waiting--
      for (const owner of place.owners) this.part(place, owner)
    } else {
      this.running--
      runner.running--
      while (this.startNext());
      this.drop(runner)
    }
    if (this.size === 0) for (const resolve of this.whenEmpty.splice(0)) resolve()
  }

  private shareOf(owner: string): Share {
    let share = this.shares.get(owner)
    if (share === undefined) this.shares.set(owner, (share = { owner, running: 0, waiting: [] }))
    return share
  }

  private drop({ owner, running, waiting }: Share): void {
    if (this.shares.size > idleSharesMax && running === 0 && waiting.length === 0)
      this.shares.delete(owner)
  }

  private hasRoom({ running }: Share): boolean {
    return running < this.max - this.running
  }

  private run(place: OwnPlace, share: Share): void {
    share.running++
    this.running++
    place.take(share)
  }

  private startNext(): boolean {
    if (this.running >= this.max) return false
    for (const owner of this.turns) {
      const share = this.shareOf(owner)
      const [next] = share.waiting
      if (next === undefined || !this.hasRoom(share)) continue
      this.waiting--
      for (const each of next.owners) this.part(next, each)
      // Lets the others go first.
      if (share.waiting.length > 0 && without(this.turns, owner)) this.turns.push(owner)
      // Its share may have been dropped with its last wait.
      this.run(next, this.shareOf(owner))
      return true
    }
    return false
  }
}

/** Resolves when there is no work in any of them. */
export async function allEmpty(lanes: readonly Lane[]): Promise<void> {
  // What goes from one endpoint to the other empties a lane and fills another.
  while (lanes.some(({ size }) => size > 0)) await Promise.all(lanes.map((lane) => lane.emptied()))
}

/** @returns whether it was in the list */
function without<Item>(list: Item[], item: Item): boolean {
  const index = list.indexOf(item)
  if (index >= 0) list.splice(index, 1)
  return index >= 0
}

class OwnPlace implements LanePlace {
  readonly owners: string[]
  private runner: Share | undefined
  private isOver = false
  private start: (() => void) | undefined

  constructor(
    private readonly lane: Lane,
    owner: string,
  ) {
    this.owners = [owner]
  }

  get isTaken(): boolean {
    return this.runner !== undefined
  }

  begin(start: () => void): void {
    if (this.isTaken && !this.isOver) start()
    else this.start = start
  }

  take(runner: Share): void {
    this.runner = runner
    this.start?.()
  }

  join(owner: string): void {
    if (this.isOver || this.isTaken || this.owners.includes(owner)) return
    this.owners.push(owner)
    this.lane.wait(this, owner)
  }

  part(owner: string): void {
    if (!without(this.owners, owner) || this.isTaken) return
    this.lane.part(this, owner)
  }

  leave(): void {
    if (this.isOver) return
    this.isOver = true
    this.lane.leave(this, this.runner)
  }
}
