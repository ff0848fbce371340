/** How much an encoder may hold: leases in all, and pins that are unfinished at a time. */
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { Queue } from '../../ledger/queue.js'
import type { Unfinished } from '../../ledger/unfinished.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Answering } from '../answer.js'
import type { RefusalReason } from '../refusals.js'
import type { Authorized } from '../request.js'

export interface Excess {
  readonly reason: Extract<RefusalReason, 'too-many-leases' | 'too-many-unfinished'>
  /** With the figures. */
  readonly message: string
}

export interface Reservation {
  /** Undefined: there was room for one more, or it is not known yet whether there was. */
  readonly excess: Excess | undefined
  /** The pin was written, or is not to be. */
  readonly free: () => void
}

export class Quota {
  /** Leases that are being written. */
  private readonly underWay = new KeyedCounter()

  constructor(
    private readonly holdings: Holdings,
    private readonly pendingPins: Unfinished,
    private readonly queue: Pick<Queue, 'sizeOf'>,
  ) {}

  /** Takes a place in the very step that sees whether there is one: requests come at once. */
  async reserve(encoder: Encoder, cid: string): Promise<Reservation> {
    const { leaseId, limits, enforcement } = encoder
    const isLooked = enforcement !== 'off'
    if (isLooked && limits.leases !== Infinity) this.holdings.ensure()
    // What has to be asked is asked before.
    const isHeld = isLooked && this.isFull(encoder) && (await this.holdings.holds(cid, leaseId))
    const pending =
      isLooked && limits.unfinished !== Infinity ? await this.pendingPins.of(leaseId) : undefined
    const excess = isLooked ? this.excessNow(encoder, isHeld, pending ?? 0) : undefined
    if (excess !== undefined && enforcement === 'enforce') return { excess, free: () => undefined }
    this.underWay.add(leaseId)
    let isReserved = true
    const free = (): void => {
      if (isReserved) this.underWay.add(leaseId, -1)
      isReserved = false
    }
    return { excess, free }
  }

  /** Unknown is no excess: the leases may not have been counted yet. */
  private isFull({ leaseId, limits }: Encoder): boolean {
    return this.holdings.since !== undefined && this.reserved(leaseId) >= limits.leases
  }

  /** @param isHeld a record that lost the lease by another hand takes no second place */
  private excessNow(encoder: Encoder, isHeld: boolean, pending: number): Excess | undefined {
    const { leaseId, limits } = encoder
    if (!isHeld && this.isFull(encoder))
      return excess('leases', this.reserved(leaseId), limits.leases)
    const unfinished = pending + this.underWay.of(leaseId)
    return unfinished >= limits.unfinished
      ? excess('unfinished', unfinished, limits.unfinished)
      : undefined
  }

  /** The same of a pin that is to wait, without a question to the cluster, which is away. */
  excessOf({ leaseId, limits }: Encoder): Excess | undefined {
    const held = this.reserved(leaseId)
    if (held >= limits.leases) return excess('leases', held, limits.leases)
    const unfinished = this.underWay.of(leaseId) + this.queue.sizeOf(leaseId)
    return unfinished >= limits.unfinished
      ? excess('unfinished', unfinished, limits.unfinished)
      : undefined
  }

  /** Whether a pin that waited is one too many. @param isCounted among those that wait */
  isBeyond({ leaseId, limits }: Encoder, isCounted: boolean): boolean {
    return this.reserved(leaseId) + (isCounted ? 0 : 1) > limits.leases
  }

  /** Leases that are held, are being written, or wait in the queue. */
  private reserved(holder: string): number {
    return this.holdings.size(holder) + this.underWay.of(holder) + this.queue.sizeOf(holder)
  }

  accepted({ leaseId }: Encoder): void {
    this.pendingPins.accept(leaseId)
  }
}

function excess(what: 'leases' | 'unfinished', count: number, max: number): Excess {
  const name = what === 'leases' ? 'leases' : 'unfinished pins'
  return { reason: `too-many-${what}`, message: `quota exceeded: ${count} of ${max} ${name}` }
}

/** Refuses what is beyond a quota, where that is enforced. @returns whether it did */
export function refuseExcess(
  request: Authorized,
  answering: Answering,
  excess: Excess | undefined,
): boolean {
  const { enforcement } = request.encoder
  if (excess === undefined || enforcement === 'off') return false
  if (enforcement === 'observe') {
    request.wouldRefuse = excess.reason
    return false
  }
  if (excess.reason === 'too-many-unfinished') answering.header('retry-after', 10)
  answering.refuse(excess.reason, excess.message)
  return true
}
