/** How much an encoder may hold: leases in all, and pins that are unfinished at a time. */
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Holdings } from '../../leases/holdings.js'
import type { Unfinished } from '../../leases/unfinished.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Answering } from '../answer.js'
import type { RefusalReason } from '../refusals.js'
import type { Authorized } from '../request.js'

export interface Excess {
  readonly reason: Extract<RefusalReason, 'too-many-leases' | 'too-many-unfinished'>
  /** With the figures. */
  readonly message: string
}

export class Quota {
  /** Leases that are being written. */
  private readonly underWay = new KeyedCounter()

  constructor(
    private readonly holdings: Holdings,
    private readonly pendingPins: Unfinished,
  ) {}

  /** Undefined: there is room for one more, or it is not known yet whether there is. */
  async excess({ leaseId, limits }: Encoder): Promise<Excess | undefined> {
    const { leases, unfinished } = limits
    if (leases !== Infinity) {
      this.holdings.ensure()
      const held = this.holdings.size(leaseId) + this.underWay.of(leaseId)
      if (this.holdings.since !== undefined && held >= leases) return excess('leases', held, leases)
    }
    if (unfinished !== Infinity) {
      const count = ((await this.pendingPins.of(leaseId)) ?? 0) + this.underWay.of(leaseId)
      if (count >= unfinished) return excess('unfinished', count, unfinished)
    }
    return undefined
  }

  /**
   * The same without a question to the cluster, which is away.
   *
   * @param waiting its pins in the journal
   */
  excessOf({ leaseId, limits }: Encoder, waiting: number): Excess | undefined {
    const writing = this.underWay.of(leaseId)
    const held = this.holdings.size(leaseId) + writing + waiting
    if (held >= limits.leases) return excess('leases', held, limits.leases)
    const unfinished = writing + waiting
    return unfinished >= limits.unfinished
      ? excess('unfinished', unfinished, limits.unfinished)
      : undefined
  }

  /** One more is being written, until the returned function is called. */
  reserve({ leaseId }: Encoder): () => void {
    this.underWay.add(leaseId)
    let isReserved = true
    return () => {
      if (isReserved) this.underWay.add(leaseId, -1)
      isReserved = false
    }
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
