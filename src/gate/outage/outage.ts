/** A cluster that is away: pins go into the journal where the settings say so, with a 202. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ClusterFault } from '../../cluster/faults.js'
import type { Wish } from '../../journal/entry.js'
import { type Journal, JournalFault } from '../../journal/journal.js'
import { later } from '../../time/later.js'
import { refuse } from '../answer.js'
import { answerFault, faultIn } from '../fault.js'
import { journaledPin, journaledStatus } from './journaled-pin.js'
import { type Quota, refuseExcess } from '../forward/quota.js'
import { recordOf } from '../request.js'

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

  /** Answers a request for the cluster's fault: 202 of a pin that is in the journal now. */
  answer(reply: FastifyReply, error: Error): void {
    const { journal } = this.parts
    const wish = this.wishOf(reply.request)
    if (journal === undefined || wish === undefined) answerFault(reply, error)
    else void this.take(journal, wish, reply, error)
  }

  /** A pin whose CID waits goes behind it; whether it may be unpinned is not known before. */
  answerHeld(reply: FastifyReply): void {
    if (this.wishOf(reply.request) !== undefined) {
      this.answer(reply, new ClusterFault('cluster-unavailable'))
      return
    }
    reply.header('retry-after', 5)
    refuse(reply, recordOf(reply.request), 'journal-pending')
  }

  /** The status of a pin that waits is the journal's to tell. @returns whether it did */
  answersStatus(reply: FastifyReply): boolean {
    const { journal } = this.parts
    if (journal === undefined || journal.size === 0) return false
    const { permission, cid } = recordOf(reply.request)
    const entry = permission === 'status' && cid !== undefined ? journal.lastOf(cid) : undefined
    if (entry === undefined) return false
    recordOf(reply.request).journaled(200)
    send(reply, 200, journaledStatus(entry))
    return true
  }

  private async take(
    journal: Journal,
    wish: Wish,
    reply: FastifyReply,
    error: Error,
  ): Promise<void> {
    const record = recordOf(reply.request)
    const { encoder } = record
    if (encoder === undefined) throw new Error('a journal before authenticate')
    const excess = this.parts.quota.excessOf(encoder, journal.sizeOf(encoder.name))
    if (refuseExcess(reply, record, encoder, excess)) return
    try {
      const entry = await journal.accept(wish)
      record.journaled(202, faultIn(error))
      this.parts.onAccepted(entry.cid)
      send(reply, 202, journaledPin(entry))
    } catch (fault) {
      if (fault instanceof JournalFault) answerFault(reply, error)
      else reply.send(fault)
    }
  }

  /** Undefined: it is none that the journal takes. */
  private wishOf({ upstream, raw }: FastifyRequest): Wish | undefined {
    const { encoder, keyId = '', id: requestId, snapshot } = recordOf({ raw })
    const { change, cid } = upstream ?? {}
    if (change?.kind !== 'pin' || cid === undefined || encoder === undefined) return undefined
    if (snapshot.config.onOutage === 'refuse' && !this.holds(cid)) return undefined
    const { options, untilMs } = change
    return { cid, encoder: encoder.name, keyId, options, untilMs, requestId }
  }
}

/** With the cluster's content type: of a string Fastify would add the charset. */
function send(reply: FastifyReply, status: number, line: string): void {
  const headers = { 'content-type': 'application/json', 'pinwarden-journal': 'accepted' }
  reply.code(status).headers(headers).send(Buffer.from(line))
}
