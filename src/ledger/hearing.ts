/** Tracks up to when each other gate has been heard: a silent gate may have released anything. */

/** How long a hearing is valid: later releases are stored with the lock of their pin. */
const currentMs = 30_000

/** Most rounds for which the start is remembered. */
const roundsMax = 256

export class Hearing {
  /** By gate, when the last round began that it has answered; by the monotonic clock. */
  private readonly heardMs = new Map<string, number>()
  private readonly rounds = new Map<string, number>()
  private ownMs = -Infinity
  private lastAskedMs = -Infinity
  private notBeforeMs = -Infinity

  /** @param gates that this ledger ever heard of, except removed ones */
  constructor(
    gates: readonly string[],
    private readonly monotonic: () => number,
  ) {
    for (const gateId of gates) this.add(gateId)
  }

  get gates(): readonly string[] {
    return [...this.heardMs.keys()]
  }

  get isCurrent(): boolean {
    return this.isSince(this.sinceMs)
  }

  /** Whether all have answered a round that began since then, by the monotonic clock. */
  isSince(sinceMs: number): boolean {
    return this.ownMs >= sinceMs && [...this.heardMs.values()].every((ms) => ms >= sinceMs)
  }

  get unheard(): readonly string[] {
    const { sinceMs } = this
    return [...this.heardMs].filter(([, ms]) => ms < sinceMs).map(([gateId]) => gateId)
  }

  /** @returns whether it is new */
  add(gateId: string): boolean {
    if (this.heardMs.has(gateId)) return false
    this.heardMs.set(gateId, -Infinity)
    return true
  }

  forget(gateId: string): void {
    this.heardMs.delete(gateId)
  }

  /** A round begins. */
  ask(round: string): void {
    this.lastAskedMs = this.monotonic()
    this.rounds.set(round, this.lastAskedMs)
    const [oldest] = this.rounds.keys()
    if (this.rounds.size > roundsMax && oldest !== undefined) this.rounds.delete(oldest)
  }

  /** The round ended: all registered gates were seen. */
  done(): void {
    this.ownMs = this.lastAskedMs
  }

  /** A gate has sent everything that it knew when it saw this round. */
  heard(gateId: string, round: string): void {
    const askedMs = this.rounds.get(round)
    if (askedMs !== undefined) this.heardMs.set(gateId, askedMs)
  }

  /** A gate that was shut down properly has sent all its news, and sends none until it is back. */
  heardAll(gateId: string): void {
    this.heardMs.set(gateId, Infinity)
  }

  isBack(gateId: string): void {
    if (this.heardMs.get(gateId) === Infinity) this.heardMs.set(gateId, -Infinity)
  }

  /** The store lost its contents: what was heard before says nothing about those. */
  restart(): void {
    this.notBeforeMs = this.monotonic()
    for (const gateId of this.heardMs.keys()) this.isBack(gateId)
  }

  private get sinceMs(): number {
    return Math.max(this.monotonic() - currentMs, this.notBeforeMs)
  }
}
