/** Pins that were changed a moment ago: other peers of the cluster may not know of it yet. */

/** With CRDT batching the others hear of a write when its batch is committed. */
const lagMs = 60_000

/** Beyond it the oldest are forgotten. */
const changesMax = 10_000

export class RecentChanges {
  /** Path of the pin → when; later ones stand behind. */
  private readonly changedAt = new Map<string, number>()

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @param path of a write, such as `/pins/CID?name=x` */
  note(path: string): void {
    const pin = pinIn(path)
    if (pin === undefined) return
    this.changedAt.delete(pin)
    this.changedAt.set(pin, this.now())
    for (const [oldest, at] of this.changedAt) {
      if (this.changedAt.size <= changesMax && at > this.now() - lagMs) break
      this.changedAt.delete(oldest)
    }
  }

  /** @param path of a read */
  has(path: string): boolean {
    if (this.changedAt.size === 0) return false
    const at = this.changedAt.get(pinIn(path) ?? '')
    return at !== undefined && at > this.now() - lagMs
  }
}

/** `/pins/CID`, of that and of what lies below it. */
const pinIn = (path: string): string | undefined => /^\/pins\/[^/?]+/.exec(path)?.[0]
