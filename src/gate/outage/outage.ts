/** An outage of the cluster: pins go into the queue where the settings say so, with a 202. */
import { encodeQuery } from '../../cluster/query.js'
import type { QueueEntry, QueueRequest } from '../../ledger/queue-entry.js'
import type { Queue } from '../../ledger/queue.js'
import { LedgerFault } from '../../ledger/storage/ledger-storage.js'
import type { Clock } from '../../time/clock.js'
import type { Answering } from '../handler.js'
import { faultIn } from '../fault.js'
import type { PinPlan, UnpinPlan, UpstreamCall } from '../plan.js'
import { queuedStatus, unshownPin } from './queued-pin.js'
import { type Quota, refuseExcess } from '../ownership/quota.js'
import type { Waits } from '../record/record.js'
import type { Authorized } from '../request.js'
import type { Encoder } from '../../settings/keyring/encoder.js'

export interface OutageParts {
  readonly queue: Pick<
    Queue,
    'accept' | 'has' | 'isBehindSource' | 'leadOf' | 'leads' | 'size' | 'whenDone'
  >
  readonly quota: Pick<Quota, 'excessOf' | 'heldBefore'>
  readonly clock: Pick<Clock, 'setTimer'>
  /** Called when a pin of this CID enters the queue. */
  readonly onAccepted: (cid: string) => void
}

export class Outage {
  private readonly waiting = new Set<() => void>()
  private isClosed = false

  constructor(private readonly parts: OutageParts) {}

  /** Whether an entry of this CID waits. */
  isQueued(cid: string): boolean {
    return this.parts.queue.has(cid)
  }

  /** Whether a change queues behind an entry of its CID, or of the encoder's pin that it copies. */
  isBehind(plan: PinPlan | UnpinPlan, { leaseId }: Encoder): boolean {
    const isCopy = plan.kind === 'pin' && this.parts.queue.isBehindSource(plan, leaseId)
    return isCopy || this.isQueued(plan.cid)
  }

  /**
   * Calls back when the queue has no entry of this CID, or when time is up.
   * @returns stops the wait
   */
  whenDone(cid: string, waitMs: number, done: () => void, timeIsUp: () => void): () => void {
    if (this.isClosed) {
      timeIsUp()
      return () => undefined
    }
    const leave = (): void => {
      forget()
      cancel()
      this.waiting.delete(giveUp)
    }
    const giveUp = (): void => {
      leave()
      timeIsUp()
    }
    const forget = this.parts.queue.whenDone(cid, () => {
      leave()
      done()
    })
    const cancel = this.parts.clock.setTimer(waitMs, giveUp)
    this.waiting.add(giveUp)
    return leave
  }

  /** Ends every wait, also future ones. */
  close(): void {
    this.isClosed = true
    for (const giveUp of this.waiting) giveUp()
  }

  /**
   * Answers a fault behind the gate with 202 when the queue takes the pin.
   * @returns what to wait for, if the queue takes it
   */
  fail(request: Authorized, answering: Answering, error: Error): Promise<void> | undefined {
    const wanted = this.entryOf(request)
    if (wanted !== undefined) return this.take(wanted, request, answering, faultIn(error))
    answering.fault(error)
    return undefined
  }

  /** A pin of a queued CID queues behind it; an unpin is refused until the entry is replayed. */
  async answerQueued(request: Authorized, answering: Answering): Promise<void> {
    const wanted = this.entryOf(request)
    if (wanted !== undefined) {
      await this.take(wanted, request, answering, { reason: 'journal-pending' })
      return
    }
    answering.header('retry-after', 5)
    answering.refuse('journal-pending')
  }

  /**
   * Answers a request from the queue, if all of its pins wait there.
   * @returns whether it did
   */
  answersStatus(
    request: Authorized,
    answering: Answering,
    { cid, cids = cid === undefined ? [] : [cid] }: UpstreamCall,
  ): boolean {
    const lines = this.linesOf(cids)
    if (lines.length === 0 || lines.length < cids.length) return false
    request.queued(200)
    send(answering, 200, lines.join(''))
    return true
  }

  /** The CIDs to ask the cluster about: the queue knows the status of the others. */
  withoutQueued(call: UpstreamCall): UpstreamCall {
    const lines = this.linesOf(call.cids ?? [])
    if (lines.length === 0) return call
    const { queue } = this.parts
    const cids = call.cids?.filter((cid) => queue.leadOf(cid) === undefined) ?? []
    const others = [...new URLSearchParams(call.query)].filter(([name]) => name !== 'cids')
    const query = encodeQuery([['cids', cids.join(',')], ...others])
    return { ...call, query, cids, lines }
  }

  /** All waiting pins, by CID. */
  queued(): ReadonlyMap<string, QueueEntry> {
    return this.parts.queue.leads()
  }

  get isEmpty(): boolean {
    return this.parts.queue.size === 0
  }

  private linesOf(cids: readonly string[]): readonly string[] {
    const { queue } = this.parts
    if (queue.size === 0) return []
    return cids.flatMap((cid) => {
      const entry = queue.leadOf(cid)
      return entry === undefined ? [] : [queuedStatus(entry)]
    })
  }

  private async take(
    wanted: QueueRequest,
    request: Authorized,
    answering: Answering,
    why: Waits,
  ): Promise<void> {
    const { encoder } = request
    const { queue, quota } = this.parts
    try {
      const held = await quota.heldBefore(encoder, wanted.cid)
      const excess = quota.excessOf(encoder, wanted.cid, held.heldUntilMs)
      if (refuseExcess(request, answering, excess)) return
      const entry = await queue.accept({ ...wanted, ...held })
      request.queued(202, why)
      this.parts.onAccepted(entry.cid)
      send(answering, 202, unshownPin({ ...entry, options: entry.frozen ?? entry.options }))
    } catch (fault) {
      if (!(fault instanceof LedgerFault)) throw fault
      // The cluster is also down, but it is the full queue or disk that prevents the 202.
      answering.fault(fault)
    }
  }

  /** The entry for the queue; undefined: the queue does not take this kind of request. */
  private entryOf(request: Authorized): QueueRequest | undefined {
    const { plan, encoder, keyId, id, snapshot } = request
    if (plan.kind !== 'pin') return undefined
    const { cid, options, untilMs } = plan
    const { onOutage, encoders } = snapshot.config
    if (onOutage === 'refuse' && !this.isBehind(plan, encoder)) return undefined
    const { leaseId: holder, name } = encoder
    const key = encoders[name]?.keys.find((key) => key.id === keyId)
    const keyDigest = key?.sha256 ?? ''
    return { cid, holder, keyDigest, encoder: name, keyId, options, untilMs, requestId: id }
  }
}

function send(answering: Answering, status: number, line: string): void {
  answering.header('pinwarden-journal', 'accepted')
  answering.send(status, line)
}
