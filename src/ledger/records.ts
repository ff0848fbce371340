/** Records of the cluster, read and written for the ledger. */
import { ClusterFault } from '../cluster/faults.js'
import type { RequestHeaders } from '../http/headers.js'
import { isUnheld } from '../leases/decide.js'
import { type NewRecord, type PinRecord, readPinRecord, writing } from '../leases/pin-record.js'
import type { Deadline } from '../time/deadline.js'
import type { ClusterPort } from './cluster-port.js'
import { DefiniteRefusal } from './definite-refusal.js'
import { landingMs } from './doubt.js'
import { type OpenPin, outcomeOf, outcomeOfFault } from './open-pin.js'

/** What was read, and when. */
export interface RecordNow {
  /** Undefined: the cluster does not have the CID. */
  readonly read: PinRecord | undefined
  /** See {@link OpenPin.nowMs}. */
  readonly nowMs: number
  /** By the cluster's clock, by which it sweeps, and refuses expired pins. */
  readonly clusterMs: number
  /** By the later of both clocks: a lease may have expired by then. */
  readonly laterMs: number
}

export interface View extends RecordNow {
  /** As it should be. */
  readonly record: PinRecord | undefined
  /** The last known expiry of a record that the cluster does not have now. */
  readonly rowEndMs?: number | undefined
}

/** A Date header has whole seconds. */
const restOfSecondMs = 999

export class Records {
  /** @param now milliseconds since the epoch */
  constructor(
    private readonly cluster: ClusterPort,
    private readonly now: () => number,
  ) {}

  /** @throws ClusterFault */
  async read(cid: string, deadline: Deadline, headers?: RequestHeaders): Promise<RecordNow> {
    const { cluster, now } = this
    const { text, dateMs } = await cluster.read(cid, deadline, headers)
    const nowMs = Math.min(now(), (dateMs ?? Infinity) + restOfSecondMs)
    const laterMs = Math.max(now(), dateMs ?? -Infinity)
    const clusterMs = dateMs ?? now()
    const read = text === undefined ? undefined : readPinRecord(text)
    return { read, nowMs, clusterMs, laterMs }
  }

  /**
   * Writes without a client's request, and settles the pin.
   *
   * @throws ClusterFault when the outcome is not known; DefiniteRefusal; LedgerFault
   */
  async write(wanted: NewRecord | 'unpin', pin: OpenPin, deadline: Deadline): Promise<void> {
    const method = wanted === 'unpin' ? 'DELETE' : 'POST'
    const path = wanted === 'unpin' ? `/pins/${pin.cid}` : pathOf(wanted)
    try {
      const { status, text } = await this.cluster.write(method, path, deadline)
      const outcome = outcomeOf(method, status, text)
      await pin.settle(wanted, outcome)
      if (outcome.kind === 'refused' && method === 'POST') throw new DefiniteRefusal(text.trim())
      if (outcome.kind === 'unknown' || outcome.kind === 'refused') throw badAnswer(status, text)
    } catch (error) {
      void pin.settle(wanted, outcomeOfFault(error as Error))
      throw error
    }
  }
}

/** Whether something outside the gate recently wrote or removed what the sweep may have listed. */
export function isOfHand({ read, rowEndMs = Infinity, laterMs }: View): boolean {
  const sinceMs = laterMs - landingMs
  if (read === undefined) return rowEndMs > sinceMs && rowEndMs < laterMs
  return isUnheld(read) && read.writtenMs > sinceMs
}

const pathOf = (record: NewRecord): string => {
  const { path, query } = writing(record)
  return query === '' ? path : `${path}?${query}`
}

const badAnswer = (status: number, text: string): ClusterFault =>
  new ClusterFault('cluster-bad-answer', new Error(`${status}: ${text.trim()}`))
