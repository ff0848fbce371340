/** A holder's pins, now and soon: its leases in a stable order, then its queued pins. */
import type { Holdings } from './holdings.js'
import type { Queue } from './queue.js'

export class OwnPins {
  constructor(
    private readonly holdings: Holdings,
    private readonly queue: Queue,
  ) {}

  /**
   * A pin that is written while a client reads page after page moves to the end, so none is
   * skipped.
   *
   * @param after any CID: the last of the page before
   * @throws LedgerFault
   */
  async page(holder: string, after: string | undefined, count: number) {
    // Read before the others, so that a pin written meanwhile is in one of the two.
    const waiting = this.waiting(holder)
    const index = after === undefined ? -1 : waiting.indexOf(after)
    const held = index < 0 ? await this.holdings.page(holder, after, count) : []
    const rest = waiting.slice(index + 1).filter((cid) => !held.includes(cid))
    const cids = [...held, ...rest.slice(0, count - held.length)]
    return { cids, total: this.holdings.counted(holder) + this.waiting(holder).length }
  }

  /** Without pins that the holder already has and only renews. */
  private waiting(holder: string): readonly string[] {
    const { places } = this.holdings
    return this.queue.cidsOf(holder).filter((cid) => places.has(holder, cid))
  }
}
