/** Tracks up to when each other gate has been heard: a silent gate may have released anything. */

/** How long a hearing is valid: later releases are stored with the lock of their pin. */
const currentMs = 30_000

/** A gate that runs answers within two of its rounds. */
export const answerMsMax = 15_000

/** Most rounds for which the start is remembered. */
const roundsMax = 256

export class Hearing {
  /** By gate, when the last round began that it has answered; by the monotonic clock. */
  private readonly heardMs = new Map<string, number>()
  private readonly rounds = new Map<string, number>()
  private ownMs = -Infinity
  private lastAskedMs = -Infinity
  private notBeforeMs = -Infinity
  /** Since then at least one gate has had to answer again. */
  private askingMs: number

  /** @param gates that this ledger ever heard of, except removed ones */
  constructor(
    gates: readonly string[],
    private readonly monotonic: () => number,
  ) {
    this.askingMs = monotonic()
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

  /** Those that had time to answer; none, while this gate hears no gate at all. */
  get unheard(): readonly string[] {
    const { sinceMs, ownMs } = this
    if (ownMs < sinceMs || this.monotonic() < this.askingMs + answerMsMax) return []
    return [...this.heardMs].filter(([, ms]) => ms < sinceMs).map(([gateId]) => gateId)
  }

  /** Whether a gate has answered lately, so it runs; undefined: this gate hears no gate at all. */
  answers(gateId: string): boolean | undefined {
    if (this.ownMs < this.sinceMs) return undefined
    const heardMs = this.heardMs.get(gateId) ?? -Infinity
    return heardMs !== Infinity && heardMs >= this.monotonic() - currentMs
  }

  /** @returns whether it is new */
  add(gateId: string): boolean {
    if (this.heardMs.has(gateId)) return false
    this.await(gateId)
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
    if (this.heardMs.get(gateId) === Infinity) this.await(gateId)
  }

  /** The store lost its contents: what was heard before says nothing about those. */
  restart(): void {
    this.notBeforeMs = this.askingMs = this.monotonic()
    for (const gateId of this.heardMs.keys()) this.isBack(gateId)
  }

  private await(gateId: string): void {
    this.heardMs.set(gateId, -Infinity)
    this.askingMs = this.monotonic()
  }

  private get sinceMs(): number {
    return Math.max(this.monotonic() - currentMs, this.notBeforeMs)
  }
}
