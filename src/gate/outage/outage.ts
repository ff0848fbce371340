/** A cluster that is away: pins go into the journal where the settings say so, with a 202. */
import { ClusterFault } from '../../cluster/faults.js'
import type { Wish } from '../../journal/entry.js'
import { type Journal, JournalFault } from '../../journal/journal.js'
import { later } from '../../time/later.js'
import type { Answering } from '../answer.js'
import { faultIn } from '../fault.js'
import { journaledPin, journaledStatus } from './journaled-pin.js'
import { type Quota, refuseExcess } from '../forward/quota.js'
import type { Authorized } from '../request.js'

export interface OutageParts {
  /** Undefined: there is none. */
  readonly journal: Journal | undefined
  readonly quota: Quota
  /** A pin of this CID waits in the journal. */
  readonly onAccepted: (cid: string) => void
}

export class Outage {
  private readonly waiting = new Set<() => void>()

  constructor(private readonly parts: OutageParts) {}

  /** Whether anything of this CID waits: then what is asked of it goes behind that. */
  holds(cid: string): boolean {
    return this.parts.journal?.has(cid) === true
  }

  /**
   * Calls back when nothing of this CID waits any more, or when the time is up.
   *
   * @returns for whoever does not want to know any more
   */
  whenDone(cid: string, waitMs: number, done: () => void, timeIsUp: () => void): () => void {
    const leave = (): void => {
      forget?.()
      cancel()
      this.waiting.delete(giveUp)
    }
    const giveUp = (): void => {
      leave()
      timeIsUp()
    }
    const forget = this.parts.journal?.whenDone(cid, () => {
      leave()
      done()
    })
    const cancel = later(waitMs, giveUp)
    this.waiting.add(giveUp)
    return leave
  }

  /** Whoever waits is answered. */
  close(): void {
    for (const giveUp of this.waiting) giveUp()
  }

  /**
   * Answers for a fault behind the gate: 202 of a pin that is in the journal now.
   *
   * @returns what is to be waited for, where the journal takes it
   */
  fail(request: Authorized, answering: Answering, error: Error): Promise<void> | undefined {
    const { journal } = this.parts
    const wish = this.wishOf(request)
    if (journal !== undefined && wish !== undefined)
      return this.take(journal, wish, request, answering, error)
    answering.fault(error)
    return undefined
  }

  /** A pin whose CID waits goes behind it; whether it may be unpinned is not known before. */
  async answerHeld(request: Authorized, answering: Answering): Promise<void> {
    if (this.wishOf(request) !== undefined) {
      await this.fail(request, answering, new ClusterFault('cluster-unavailable'))
      return
    }
    answering.header('retry-after', 5)
    answering.refuse('journal-pending')
  }

  /** The status of a pin that waits is the journal's to tell. @returns whether it did */
  answersStatus(request: Authorized, answering: Answering): boolean {
    const { journal } = this.parts
    if (journal === undefined || journal.size === 0 || request.cid === undefined) return false
    const entry = journal.lastOf(request.cid)
    if (entry === undefined) return false
    request.journaled(200)
    send(answering, 200, journaledStatus(entry))
    return true
  }

  private async take(
    journal: Journal,
    wish: Wish,
    request: Authorized,
    answering: Answering,
    error: Error,
  ): Promise<void> {
    const { encoder } = request
    const excess = this.parts.quota.excessOf(encoder, journal.sizeOf(encoder.name))
    if (refuseExcess(request, answering, excess)) return
    try {
      const entry = await journal.accept(wish)
      request.journaled(202, faultIn(error))
      this.parts.onAccepted(entry.cid)
      send(answering, 202, journaledPin(entry))
    } catch (fault) {
      if (!(fault instanceof JournalFault)) throw fault
      answering.fault(error)
    }
  }

  /** Undefined: it is none that the journal takes. */
  private wishOf({ plan, encoder, keyId = '', id, snapshot }: Authorized): Wish | undefined {
    if (plan.kind !== 'pin') return undefined
    const { cid, options, untilMs } = plan
    if (snapshot.config.onOutage === 'refuse' && !this.holds(cid)) return undefined
    return { cid, encoder: encoder.name, keyId, options, untilMs, requestId: id }
  }
}

function send(answering: Answering, status: number, line: string): void {
  answering.header('pinwarden-journal', 'accepted')
  answering.send(status, line)
}
