/** Replays the queue when the cluster is back: in order per CID, at a limited rate. */
import type { RequestHeaders } from '../../http/headers.js'
import { DefiniteRefusal } from '../../ledger/definite-refusal.js'
import type { QueueEntry } from '../../ledger/queue-entry.js'
import type { QueueCounts } from '../../ledger/ledger-metrics.js'
import type { Queue } from '../../ledger/queue.js'
import type { Clock } from '../../time/clock.js'
import type { Ledger } from '../../ledger/ledger.js'
import type { PinTracker } from '../../tracking/tracker.js'
import { StoreFault } from '../../store/store-fault.js'
import { Scheduler } from '../../time/scheduler.js'
import type { Snapshot } from '../../settings/snapshot.js'
import { faultIn, isFaultOfChange } from '../fault.js'
import { decideToPin, isHeldBy, leaseEnd } from '../ownership/lease-decision.js'
import type { Quota } from '../ownership/quota.js'
import type { Logger } from '../../log/logger.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Config } from '../../settings/schema/schema.js'
import { mayPin } from '../../settings/values/permissions.js'
import { readPinOptions } from '../authorize/pin-options.js'
import { BadRequest } from '../refusals.js'

export interface ReplayParts {
  readonly queue: Pick<
    Queue,
    'done' | 'dropped' | 'heads' | 'isBehindSource' | 'of' | 'reject' | 'rejected' | 'size'
  >
  readonly ledger: Pick<Ledger, 'isFinished' | 'look' | 'replay'>
  readonly quota: Pick<Quota, 'accepted'>
  readonly tracker: Pick<PinTracker, 'accepted'>
  readonly current: () => Snapshot
  readonly isClusterAvailable: () => boolean
  /** For the cluster. */
  readonly headers: RequestHeaders
  /** For the log. */
  readonly log: Logger
  readonly clock: Clock
}

/** CIDs in parallel; each round takes its share of the rate. */
const atOnceMax = 8
const roundMs = 250
/** How often the replay checks whether the cluster is back. */
const awayMs = 500
/** Delays of an entry that fails while the cluster is available. */
const againMsMin = 1000
const againMsMax = 300_000

export class Replay {
  private readonly counts = { replayed: 0, dropped: 0 }
  /** Failed entries by sequence number, with the time of their next attempt. */
  private readonly failures = new Map<
    number,
    { readonly waitMs: number; readonly notBefore: number }
  >()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: ReplayParts) {
    this.scheduler = new Scheduler(() => this.round(), parts.clock)
    this.start()
  }

  /** Outcomes of entries since the start. */
  get report(): QueueCounts {
    const { queue } = this.parts
    const { replayed } = this.counts
    const dropped = this.counts.dropped + queue.dropped
    return { waiting: queue.size, replayed, dropped, rejected: queue.rejected.length }
  }

  /** Wakes the replay, as there may be an entry. */
  start(): void {
    if (this.parts.queue.size > 0) this.scheduler.runWithin(0)
  }

  /** Tries failed entries again now. */
  retryNow(): void {
    this.failures.clear()
    this.start()
  }

  close(): void {
    this.scheduler.close()
  }

  private async round(): Promise<number | undefined> {
    const { queue, isClusterAvailable, log, current } = this.parts
    if (queue.size === 0) return undefined
    if (!isClusterAvailable()) return awayMs
    const startMs = this.parts.clock.monotonic()
    const due = this.due(Math.ceil((current().config.journal.perSecondMax * roundMs) / 1000))
    const workers = Array.from({ length: atOnceMax }, async () => {
      for (let entry = due.shift(); entry !== undefined; entry = due.shift()) {
        if (!isClusterAvailable()) return
        await this.replayEntry(entry)
      }
    })
    await Promise.all(workers)
    if (queue.size > 0) return Math.max(0, roundMs - (this.parts.clock.monotonic() - startMs))
    const { replayed, dropped } = this.report
    log('info', { replayed, dropped }, 'emptied the journal: every pin was replayed or dropped')
    return undefined
  }

  private due(max: number): QueueEntry[] {
    const due: QueueEntry[] = []
    const now = this.parts.clock.monotonic()
    for (const entry of this.parts.queue.heads()) {
      if (due.length >= max) break
      if ((this.failures.get(entry.seq)?.notBefore ?? 0) <= now) due.push(entry)
    }
    return due
  }

  private async replayEntry(entry: QueueEntry): Promise<void> {
    const { queue, isClusterAvailable, log, clock, current } = this.parts
    const { seq, cid, holder, requestId, atMs } = entry
    const encoder = current().keyring.encoderOf(holder)?.name ?? entry.encoder
    const about = { cid, encoder, requestId, waitedMs: Math.max(0, clock.now() - atMs) }
    try {
      const rejection = await this.apply(entry)
      if (rejection === early) {
        this.postpone(seq)
        return
      }
      this.failures.delete(seq)
      if (rejection === undefined) {
        this.counts.replayed++
        log('info', about, 'replayed a pin of the journal')
      } else {
        this.counts.dropped++
        log('warn', { ...about, reason: rejection }, 'dropped a pin of the journal')
      }
      queue.done(entry)
    } catch (error) {
      if (error instanceof DefiniteRefusal) {
        this.counts.dropped++
        this.failures.delete(seq)
        queue.reject(entry, error.message)
        log('error', { ...about, reason: 'rejected', err: error }, rejected)
        return
      }
      // The endpoints log that the cluster is down again.
      const isFault = isFaultOfChange(error)
      if (isFault && !isClusterAvailable()) return
      this.postpone(seq)
      const { reason, cause: err } = isFault
        ? faultIn(error)
        : { reason: error instanceof StoreFault ? error.reason : 'internal-error', cause: error }
      log('warn', { ...about, reason, err }, 'could not replay a pin of the journal yet')
    }
  }

  private postpone(seq: number): void {
    const waitMs = Math.min((this.failures.get(seq)?.waitMs ?? againMsMin / 2) * 2, againMsMax)
    this.failures.set(seq, { waitMs, notBefore: this.parts.clock.monotonic() + waitMs })
  }

  /**
   * @returns why the entry is dropped; undefined: it was written
   * @throws ClusterFault, LockTimeout
   */
  private async apply(entry: QueueEntry): Promise<string | undefined> {
    const { ledger, queue, quota, tracker, current, headers, clock } = this.parts
    const snapshot = current()
    const { cid, options, untilMs, holder, seq } = entry
    const encoder = snapshot.keyring.encoderOf(holder)
    if (encoder === undefined) return 'encoder-removed'
    const found: { rejection?: string | undefined; isNew?: boolean; endMs?: number } = {}
    // The source is another encoder's entry: this one is dropped only once that is done.
    const isEarly = queue.isBehindSource(entry)
    const isLast = (): boolean =>
      !queue.of(cid).some((other) => other.holder === holder && other.seq > seq)
    const replayed = { cid, holder, seq, isLast }
    const isReleased = await ledger.replay(replayed, async (pin, deadline) => {
      const { record, nowMs } = pin
      found.rejection = rejectionOf(entry, encoder, snapshot.config, nowMs)
      if (found.rejection !== undefined) return undefined
      const deciding = { ledger, encoder, headers, deadline }
      const decision = await decideToPin(deciding, pin, { cid, options, untilMs })
      found.isNew = !isHeldBy(record, encoder)
      if (decision.kind === 'write') found.endMs = leaseEnd(decision.record, encoder)
      if (decision.kind === 'refuse') found.rejection = decision.reason
      else if (decision.kind !== 'write' && isEarly) found.rejection = early
      else if (decision.kind !== 'write') throw new DefiniteRefusal('the source is not pinned')
      return decision.kind === 'write' ? decision.record : undefined
    })
    if (isReleased) return 'released-since'
    if (found.rejection !== undefined) return found.rejection
    // The entry took its place in the quota when it was accepted.
    if (found.isNew === true) quota.accepted(encoder, cid)
    tracker.accepted(cid, encoder.name, (found.endMs ?? Infinity) - clock.now())
    return undefined
  }
}

const early = 'source-waits'

const rejected =
  'the cluster permanently refused a pin of the journal; its encoder had received 202'

/**
 * Whether an entry of the queue may still be replayed: much can change since its request.
 *
 * @param nowMs by the earlier of the host's clock and the cluster's: an accepted pin has expired
 *   only when both say so
 * @returns why the entry is rejected; undefined: it is not
 */
export function rejectionOf(
  { keyDigest, options, untilMs }: QueueEntry,
  encoder: Encoder,
  { encoders }: Config,
  nowMs: number,
): string | undefined {
  if (!encoder.enabled) return 'encoder-disabled'
  const key = encoders[encoder.name]?.keys.find(({ sha256 }) => sha256 === keyDigest)
  if (key === undefined) return 'key-revoked'
  if (key.expires !== undefined && Date.parse(key.expires) <= nowMs) return 'key-expired'
  if (!mayPin(encoder)) return 'not-permitted'
  if (untilMs <= nowMs) return 'expired'
  if (encoder.enforcement !== 'enforce') return undefined
  try {
    readPinOptions(new Map(options), encoder.options)
    return undefined
  } catch (error) {
    if (error instanceof BadRequest) return error.reason
    throw error
  }
}
