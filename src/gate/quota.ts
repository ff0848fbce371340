/** How much an encoder may hold: leases in all, and pins that are unfinished at a time. */
import type { Holdings } from '../leases/holdings.js'
import type { Unfinished } from '../leases/unfinished.js'
import type { Encoder } from '../settings/encoder.js'
import type { RefusalReason } from './refusals.js'

export interface Excess {
  readonly reason: Extract<RefusalReason, 'too-many-leases' | 'too-many-unfinished'>
  /** With the figures. */
  readonly message: string
}

export class Quota {
  /** Leases that are being written. */
  private readonly underWay = new Map<string, number>()

  constructor(
    private readonly holdings: Holdings,
    private readonly unfinished: Unfinished,
  ) {}

  /** Undefined: there is room for one more, or it is not known yet whether there is. */
  async excess({ leaseId, limits }: Encoder): Promise<Excess | undefined> {
    const { leases, unfinished } = limits
    if (leases !== Infinity) {
      this.holdings.ensure()
      const held = this.holdings.size(leaseId) + (this.underWay.get(leaseId) ?? 0)
      if (this.holdings.since !== undefined && held >= leases)
        return { reason: 'too-many-leases', message: `quota exceeded: ${held} of ${leases} leases` }
    }
    if (unfinished !== Infinity) {
      const count = ((await this.unfinished.of(leaseId)) ?? 0) + (this.underWay.get(leaseId) ?? 0)
      if (count >= unfinished)
        return {
          reason: 'too-many-unfinished',
          message: `quota exceeded: ${count} of ${unfinished} unfinished pins`,
        }
    }
    return undefined
  }

  /** One more is being written, until the returned function is called. */
  reserve({ leaseId }: Encoder): () => void {
    this.add(leaseId, 1)
    let isReserved = true
    return () => {
      if (isReserved) this.add(leaseId, -1)
      isReserved = false
    }
  }

  accepted({ leaseId }: Encoder): void {
    this.unfinished.accept(leaseId)
  }

  private add(holder: string, count: number): void {
    const sum = (this.underWay.get(holder) ?? 0) + count
    if (sum === 0) this.underWay.delete(holder)
    else this.underWay.set(holder, sum)
  }
}
