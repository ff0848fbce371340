/** A tracked pin: the encoders that wait for it, and its state. */

/** Outcome for an encoder; `recovered`: pinned after it had failed. */
export type PinResult = 'pinned' | 'recovered' | 'failed' | 'unpinned' | 'given-up'

/** A pin of an encoder changed its state. */
export interface PinEvent {
  readonly cid: string
  readonly encoder: string
  readonly result: PinResult
  /** Since it was accepted. */
  readonly ms: number
  /** The cluster's error text; empty without a failure. */
  readonly error: string
}

export interface PendingPins {
  /** Queued, or being pinned. */
  readonly pending: number
  /** In error; the cluster tries again. */
  readonly failing: number
}

interface Party {
  readonly encoder: string
  /** When the cluster accepted it. */
  readonly sinceMs: number
  /** When its lease ends. */
  readonly untilMs: number
}

/** Beyond this number, encoders of one pin count together. */
const partiesMax = 16

const none: readonly never[] = []

export class TrackedPin {
  // Lists are replaced rather than changed: the first push would give each pin room for 17 entries.
  waiters: readonly (() => void)[] = none
  /** The encoder in whose share it is tracked. */
  owner: string | undefined
  /** The cluster reports an error, and tries again. */
  isFailing = false
  /** When the gate last asked about it by name. */
  askedAt = -Infinity
  /** Asks about it by name in the next round, even if it is queued. */
  isUrgent = false
  /** A request about it by name is in flight. */
  isAsked = false
  private parties: readonly Party[] = none

  constructor(readonly cid: string) {}

  /** Called each time the pin is accepted. */
  accepted(encoder: string, nowMs: number, leaseMs: number): void {
    this.isFailing = false
    const untilMs = nowMs + leaseMs
    const { parties } = this
    if (parties.some((party) => party.encoder === encoder))
      this.parties = parties.map((party) =>
        party.encoder === encoder ? { ...party, untilMs } : party,
      )
    else if (parties.length < partiesMax)
      this.parties = [...parties, { encoder, sinceMs: nowMs, untilMs }]
  }

  /** @param isEnded those whose lease has ended, or the others */
  encodersAt(nowMs: number, isEnded: boolean): readonly string[] {
    return this.parties
      .filter(({ untilMs }) => untilMs <= nowMs === isEnded)
      .map(({ encoder }) => encoder)
  }

  /** Whether no encoder and no waiting request needs it any more. */
  get isDropped(): boolean {
    return this.parties.length === 0 && this.waiters.length === 0
  }

  /** When it was last accepted; -Infinity: never, a request only waits for it. */
  get sinceMs(): number {
    return this.parties.at(-1)?.sinceMs ?? -Infinity
  }

  /** @param of one encoder only; undefined: of all */
  events(result: PinResult, nowMs: number, error = '', of?: string): PinEvent[] {
    return this.parties
      .filter(({ encoder }) => of === undefined || encoder === of)
      .map(({ encoder, sinceMs }) => {
        return { cid: this.cid, encoder, result, ms: nowMs - sinceMs, error }
      })
  }

  leave(encoder: string): void {
    this.parties = this.parties.filter((party) => party.encoder !== encoder)
  }

  /** Calls every waiting request back. */
  release(): void {
    for (const waiter of this.waiters) waiter()
  }
}
