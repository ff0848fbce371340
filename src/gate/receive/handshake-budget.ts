/** Limits the TLS handshakes of strangers, as no other work for them costs as much. */
import { AgingMap } from '../../collections/aging-map.js'

/** Minimum number of networks that are remembered. */
const networksMin = 10_000

/**
 * Share of a burst that comes back each second; all of it to a network that has sent a valid key,
 * as one encoder with an old key may try again and again beside others.
 */
const backPerSecond = { known: 1, unknown: 1 / 8 }

/**
 * The burst of all networks that have shown no valid key. The refill of each second is about half
 * of what a core can do, so that thousands of addresses do not take it from encoders.
 */
const strangersMax = 4096

interface Spent {
  readonly count: number
  readonly atMs: number
  /** A valid key came from the network. */
  readonly isKnown: boolean
}

const nothing: Spent = { count: 0, atMs: 0, isKnown: false }

/**
 * Leaky buckets: one for each network, and one for all that have shown no valid key. A handshake
 * that leads to a valid key costs nothing.
 */
export class HandshakeBudget {
  private readonly spent = new AgingMap<Spent>(networksMin)
  private ofStrangers = nothing

  /** @param burst handshakes that a network may begin at once */
  constructor(
    private readonly burst: number,
    private readonly monotonic: () => number,
  ) {}

  /** @returns whether the network may begin one more */
  take(network: string): boolean {
    const own = this.spent.get(network) ?? nothing
    const count = this.left(own, this.burst)
    if (count > this.burst - 1) return false
    if (!own.isKnown) {
      const all = this.left(this.ofStrangers, strangersMax)
      if (all > strangersMax - 1) return false
      this.ofStrangers = this.now(all + 1, false)
    }
    this.spent.set(network, this.now(count + 1, own.isKnown))
    return true
  }

  giveBack(network: string): void {
    const own = this.spent.get(network) ?? nothing
    this.spent.set(network, this.now(Math.max(0, this.left(own, this.burst) - 1), true))
  }

  /** What is left of what was spent. */
  private left({ count, atMs, isKnown }: Spent, burst: number): number {
    const seconds = (this.monotonic() - atMs) / 1000
    const back = seconds * burst * backPerSecond[isKnown ? 'known' : 'unknown']
    return Math.max(0, count - back)
  }

  private now(count: number, isKnown: boolean): Spent {
    return { count, atMs: this.monotonic(), isKnown }
  }
}
