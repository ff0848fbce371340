/**
 * Limits how many TLS handshakes a network may begin, as no other work for strangers costs as much.
 */
import { AgingMap } from '../../collections/aging-map.js'

/** Minimum number of networks that are remembered. */
const networksMin = 10_000

/** Share of the burst that comes back each second. */
const backPerSecond = 1 / 8

/** A leaky bucket for each network. A handshake that leads to a good key costs nothing. */
export class HandshakeBudget {
  private readonly spent = new AgingMap<{ readonly count: number; readonly atMs: number }>(
    networksMin,
  )

  /** @param burst handshakes that a network may begin at once */
  constructor(
    private readonly burst: number,
    private readonly monotonic: () => number,
  ) {}

  /** @returns whether the network may begin one more */
  take(network: string): boolean {
    const count = this.countOf(network)
    if (count > this.burst - 1) return false
    this.keep(network, count + 1)
    return true
  }

  giveBack(network: string): void {
    this.keep(network, Math.max(0, this.countOf(network) - 1))
  }

  private countOf(network: string): number {
    const { count, atMs } = this.spent.get(network) ?? { count: 0, atMs: 0 }
    const back = ((this.monotonic() - atMs) / 1000) * this.burst * backPerSecond
    return Math.max(0, count - back)
  }

  private keep(network: string, count: number): void {
    this.spent.set(network, { count, atMs: this.monotonic() })
  }
}
