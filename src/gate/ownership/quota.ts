/** Quotas of an encoder: its leases, and its unfinished pins. */
import type { PinRecord } from '../../leases/pin-record.js'
import type { Holdings } from '../../ledger/holdings.js'
import type { Place } from '../../ledger/quota-places.js'
import type { PendingCounts } from '../../ledger/pending-counts.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Answering } from '../handler.js'
import type { PinPlan } from '../plan.js'
import { refusals, type RefusalReason } from '../refusals.js'
import type { Authorized } from '../request.js'

export interface Excess {
  readonly reason: Extract<RefusalReason, 'too-many-leases' | 'too-many-unfinished'>
  /** With the figures. */
  readonly message: string
}

export interface Reservation {
  /** Undefined: there is room for one more, or the count is still unknown. */
  readonly excess: Excess | undefined
  /** Undefined: the quota refuses it. */
  readonly place: Place | undefined
}

export class Quota {
  constructor(
    private readonly holdings: Pick<
      Holdings,
      'countNow' | 'ensure' | 'heldBefore' | 'heldIn' | 'heldUntil' | 'places' | 'size'
    >,
    private readonly pendingPins: Pick<PendingCounts, 'accept' | 'of'>,
  ) {}

  /**
   * Checks for room and takes the place in one step, as requests are concurrent.
   * @param record of the pin, which the caller has locked
   * @throws LedgerFault if the quota seems full while the disk is behind
   */
  async reserve(
    encoder: Encoder,
    { cid, untilMs }: Pick<PinPlan, 'cid' | 'untilMs'>,
    record: PinRecord | undefined,
  ): Promise<Reservation> {
    const { leaseId: holder, limits, enforcement } = encoder
    const { holdings } = this
    const isLooked = enforcement !== 'off'
    if (isLooked && limits.leases !== Infinity) holdings.ensure()
    // All reads come before the step that decides.
    let heldUntilMs = holdings.heldIn(record, holder)
    const isNew = heldUntilMs === undefined
    if (isLooked && isNew && this.isFull(encoder)) {
      await holdings.countNow()
      // A record that lost its lease outside the gate takes no second place.
      heldUntilMs = await holdings.heldUntil(cid, holder)
    }
    const pending =
      isLooked && isNew && limits.unfinished !== Infinity
        ? await this.pendingPins.of(holder)
        : undefined
    const { places } = holdings
    const isMore = heldUntilMs === undefined && !places.has(holder, cid)
    const isUnfinished = isNew && !places.isUnwritten(holder, cid)
    const excess = isLooked
      ? this.excessNow(encoder, isMore, isUnfinished, pending ?? 0)
      : undefined
    if (excess !== undefined && enforcement === 'enforce') return { excess, place: undefined }
    return { excess, place: places.take({ holder, cid, heldUntilMs, untilMs }) }
  }

  /** Who holds a pin that goes into the queue, by the ledger: the cluster is down. */
  async heldBefore(encoder: Encoder, cid: string): ReturnType<Holdings['heldBefore']> {
    if (this.isFull(encoder)) await this.holdings.countNow()
    return this.holdings.heldBefore(cid, encoder.leaseId)
  }

  /**
   * The same for a pin that goes into the queue.
   * @param heldUntilMs of {@link heldBefore}
   */
  excessOf({ leaseId, limits }: Encoder, cid: string, heldUntilMs: number | undefined) {
    if (heldUntilMs !== undefined || this.holdings.places.has(leaseId, cid)) return undefined
    const held = this.holdings.size(leaseId)
    if (held >= limits.leases) return excess('leases', held, limits.leases)
    const unfinished = this.holdings.places.unwritten(leaseId)
    return unfinished >= limits.unfinished
      ? excess('unfinished', unfinished, limits.unfinished)
      : undefined
  }

  accepted({ leaseId }: Encoder, cid: string): void {
    this.pendingPins.accept(leaseId, cid)
  }

  /** The known count is a lower bound: counting may not be complete. */
  private isFull({ leaseId, limits }: Encoder): boolean {
    return this.holdings.size(leaseId) >= limits.leases
  }

  /** @param isMore whether it takes a place @param isUnfinished whether it is pinned only now */
  private excessNow(encoder: Encoder, isMore: boolean, isUnfinished: boolean, pending: number) {
    const { leaseId, limits } = encoder
    if (isMore && this.isFull(encoder))
      return excess('leases', this.holdings.size(leaseId), limits.leases)
    const unfinished = pending + this.holdings.places.unwritten(leaseId)
    return isUnfinished && unfinished >= limits.unfinished
      ? excess('unfinished', unfinished, limits.unfinished)
      : undefined
  }
}

function excess(what: 'leases' | 'unfinished', count: number, max: number): Excess {
  const reason = `too-many-${what}` as const
  return { reason, message: `${refusals[reason].message}: ${count} of ${max}` }
}

/**
 * Refuses a pin beyond a quota, where enforcement says so.
 * @returns whether it did
 */
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
