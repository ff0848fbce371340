/** An outage of the cluster: pins go into the journal where the settings say so, with a 202. */
import { ClusterFault } from '../../cluster/faults.js'
import type { Wish } from '../../journal/entry.js'
import { type Journal, JournalFault } from '../../journal/journal.js'
import { setTimer } from '../../time/set-timer.js'
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

  /** Whether the journal has an entry of this CID: further changes queue behind it. */
  isQueued(cid: string): boolean {
    return this.parts.journal?.has(cid) === true
  }

  /**
   * Calls back when the journal has no entry of this CID any more, or when the time is up.
   *
   * @returns stops the wait
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
    const cancel = setTimer(waitMs, giveUp)
    this.waiting.add(giveUp)
    return leave
  }

  /** Ends every wait. */
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
    const wanted = this.entryOf(request)
    if (journal !== undefined && wanted !== undefined)
      return this.take(journal, wanted, request, answering, error)
    answering.fault(error)
    return undefined
  }

  /** A pin of a queued CID queues behind it; an unpin is refused until the entry is replayed. */
  async answerQueued(request: Authorized, answering: Answering): Promise<void> {
    if (this.entryOf(request) !== undefined) {
      await this.fail(request, answering, new ClusterFault('cluster-unavailable'))
      return
    }
    answering.header('retry-after', 5)
    answering.refuse('journal-pending')
  }

  /** Answers the status of a queued pin from the journal. @returns whether it did */
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
    wanted: Wish,
    request: Authorized,
    answering: Answering,
    error: Error,
  ): Promise<void> {
    const { encoder } = request
    const excess = this.parts.quota.excessOf(encoder, journal.sizeOf(encoder.name))
    if (refuseExcess(request, answering, excess)) return
    try {
      const entry = await journal.accept(wanted)
      request.journaled(202, faultIn(error))
      this.parts.onAccepted(entry.cid)
      send(answering, 202, journaledPin(entry))
    } catch (fault) {
      if (!(fault instanceof JournalFault)) throw fault
      answering.fault(error)
    }
  }

  /** The entry for the journal; undefined: the journal does not take this request. */
  private entryOf({ plan, encoder, keyId = '', id, snapshot }: Authorized): Wish | undefined {
    if (plan.kind !== 'pin') return undefined
    const { cid, options, untilMs } = plan
    if (snapshot.config.onOutage === 'refuse' && !this.isQueued(cid)) return undefined
    return { cid, encoder: encoder.name, keyId, options, untilMs, requestId: id }
  }
}

function send(answering: Answering, status: number, line: string): void {
  answering.header('pinwarden-journal', 'accepted')
  answering.send(status, line)
}
