/** Pins that were changed a moment ago: other peers of the cluster may not know of it yet. */

/** With CRDT batching the others hear of a write when its batch is committed. */
const lagMs = 60_000

/** Beyond it the oldest are forgotten. */
const changesMax = 10_000

/** In two generations, as each write passes here: cheaper than to keep the time of every change. */
export class RecentChanges {
  private young = new Set<string>()
  private old = new Set<string>()
  private bornAt: number

  constructor(private readonly now: () => number = () => performance.now()) {
    this.bornAt = now()
  }

  /** @param path of a write, such as `/pins/CID?name=x` */
  note(path: string): void {
    const pin = pinIn(path)
    if (pin === undefined) return
    this.age()
    this.young.add(pin)
    if (this.young.size >= changesMax) this.grow()
  }

  /** @param path of a read */
  has(path: string): boolean {
    if (this.young.size === 0 && this.old.size === 0) return false
    const pin = pinIn(path)
    if (pin === undefined) return false
    this.age()
    return this.young.has(pin) || this.old.has(pin)
  }

  /** A change is remembered for one lag at least, and for two at most. */
  private age(): void {
    const ageMs = this.now() - this.bornAt
    if (ageMs >= lagMs) this.grow()
    if (ageMs >= 2 * lagMs) this.old.clear()
  }

  private grow(): void {
    const { old } = this
    old.clear()
    this.old = this.young
    this.young = old
    this.bornAt = this.now()
  }
}

const prefix = '/pins/'

/** `/pins/CID`, of that and of what lies below it. */
function pinIn(path: string): string | undefined {
  if (!path.startsWith(prefix)) return undefined
  const query = path.indexOf('?')
  const whole = query === -1 ? path : path.slice(0, query)
  const below = whole.indexOf('/', prefix.length)
  return below === -1 ? whole : whole.slice(0, below)
}
