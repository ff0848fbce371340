/** A pin that is followed: for whom, and how far it is. */

/** How it ended for an encoder; `recovered`: pinned after it had failed. */
export type Result = 'pinned' | 'recovered' | 'failed' | 'unpinned' | 'given-up'

/** What became of a pin of an encoder's. */
export interface PinNews {
  readonly cid: string
  readonly encoder: string
  readonly result: Result
  /** Since it was accepted. */
  readonly ms: number
  /** Of a failure, in the cluster's words; else empty. */
  readonly error: string
}

interface Party {
  readonly encoder: string
  /** When the cluster accepted it. */
  readonly sinceMs: number
}

/** Beyond it those who pin the same are not told apart. */
const partiesMax = 16

export class Followed {
  readonly waiters = new Set<() => void>()
  /** The cluster has it in error, and tries again by itself. */
  isFailing = false
  /** When the cluster was last asked about it by name. */
  askedAt = -Infinity
  /** To be asked about in the next round, whatever is queued. */
  isUrgent = false
  private parties: Party[] = []

  constructor(readonly cid: string) {}

  /** It was accepted; also again. */
  accepted(encoder: string, nowMs: number): void {
    this.isFailing = false
    if (this.parties.some((party) => party.encoder === encoder)) return
    if (this.parties.length < partiesMax) this.parties.push({ encoder, sinceMs: nowMs })
  }

  get encoders(): readonly string[] {
    return this.parties.map(({ encoder }) => encoder)
  }

  /** Nobody wants to know any more. */
  get isDropped(): boolean {
    return this.parties.length === 0 && this.waiters.size === 0
  }

  /** When it was last accepted; -Infinity: never, somebody only asked for it. */
  get sinceMs(): number {
    return this.parties.at(-1)?.sinceMs ?? -Infinity
  }

  /** @param of one encoder only; undefined: of all */
  news(result: Result, nowMs: number, error = '', of?: string): PinNews[] {
    return this.parties
      .filter(({ encoder }) => of === undefined || encoder === of)
      .map(({ encoder, sinceMs }) => {
        return { cid: this.cid, encoder, result, ms: nowMs - sinceMs, error }
      })
  }

  leave(encoder: string): void {
    this.parties = this.parties.filter((party) => party.encoder !== encoder)
  }

  /** Whoever waits is told that the waiting is over. */
  release(): void {
    for (const waiter of [...this.waiters]) waiter()
  }
}
