/** Operators' changes of leases: adopt, release, restore. */
import { isSoftDeleted, softDelete, liveLeases, write } from '../leases/decide.js'
import { type Lease, latestEnd, operator } from '../leases/lease.js'
import type { Ledger } from './ledger.js'
import type { Queue } from './queue.js'
import type { OpenPin, Wanted } from './open-pin.js'
import type { Deadline } from '../time/deadline.js'
import type { PinRecord } from '../leases/pin-record.js'

/** Outcome for one pin; `failed` comes with a reason. */
export type Outcome =
  | 'adopted'
  | 'held-already'
  | 'restored'
  /** The leases of its former holders have ended meanwhile. */
  | 'restored-to-operator'
  | 'released'
  | 'unpinned'
  | 'changed-since'
  | 'not-pinned'
  | 'not-a-plain-pin'
  | 'too-many-holders'
  | 'pinned-again'
  | 'agreed'
  | 'accepted'
  | 'waiting'
  | 'dropped'
  | 'rejected'

export interface Adoption {
  readonly holder: string
  /** Longest life of the lease; Infinity: as long as the pin. */
  readonly retentionMs: number
}

/** A lease as a plan saw it. */
export type PlannedLease = Lease & { readonly cid: string }

export class Upkeep {
  constructor(
    private readonly ledger: Ledger,
    private readonly queue: Pick<Queue, 'isHolder'>,
  ) {}

  /**
   * Gives a pin to an encoder. A pin that the operator held by default then belongs to the encoder
   * alone.
   */
  adopt(cid: string, { holder, retentionMs }: Adoption): Promise<Outcome> {
    return this.changed(cid, (record, { nowMs, token }) => {
      const held = liveLeases(record, nowMs).filter((lease) => record.leases.includes(lease))
      if (held.some((lease) => lease.holder === holder)) return 'held-already'
      // Unknown for a record that is owed but missing in the cluster.
      const pinnedMs = Number.isFinite(record.writtenMs) ? record.writtenMs : nowMs
      const sinceMs = Math.floor(pinnedMs / 1000) * 1000
      const end = held.length === 0 && !isSoftDeleted(record) ? record.expiresMs : Infinity
      const untilMs = Math.min(end, Math.ceil((nowMs + retentionMs) / 1000) * 1000)
      const leases = [...held, { holder, sinceMs, untilMs, token }]
      return ['adopted', { ...record, former: [], leases, expiresMs: latestEnd(leases) }]
    })
  }

  /** Restores a soft-deleted pin to its former holders, else to the operator. */
  restore(cid: string): Promise<Outcome> {
    return this.changed(cid, (record, { nowMs, token }) => {
      if (!isSoftDeleted(record)) return 'held-already'
      const former = record.former.filter(({ untilMs }) => untilMs > nowMs)
      const whole = Math.floor(nowMs / 1000) * 1000
      const holders =
        former.length > 0 ? former : [{ holder: operator, sinceMs: whole, untilMs: Infinity }]
      // Their own tokens belong to released leases.
      const leases = holders.map((lease) => ({ ...lease, token }))
      const outcome = former.length > 0 ? 'restored' : 'restored-to-operator'
      return [outcome, { ...record, former: [], leases, expiresMs: latestEnd(leases) }]
    })
  }

  /**
   * Releases a lease, unless it was renewed since the plan; the last one takes the pin with it,
   * after the grace if there is one.
   */
  release(planned: PlannedLease, graceMs: number): Promise<Outcome> {
    return this.changed(planned.cid, async (record, { nowMs }, deadline) => {
      if (isSoftDeleted(record)) return 'not-pinned'
      const all = record.leases.length > 0 ? record.leases : liveLeases(record, nowMs)
      const lease = all.find(({ holder }) => holder === planned.holder)
      const isSame =
        lease?.sinceMs === planned.sinceMs &&
        lease.untilMs === planned.untilMs &&
        lease.token === planned.token
      // A later request of the holder is queued, and would be lost with the lease.
      const waits = this.queue.isHolder(planned.cid, planned.holder)
      if (!isSame || waits) return 'changed-since'
      const leases = all.filter((other) => other !== lease && other.untilMs > nowMs)
      if (leases.length > 0)
        return ['released', { ...record, leases, expiresMs: latestEnd(leases) }]
      const kept = softDelete(record, [lease], nowMs + graceMs)
      const isKept =
        graceMs > 0 &&
        write(kept) !== undefined &&
        (await this.ledger.isFinished(record.cid, deadline)) !== 'unfinished'
      return ['unpinned', isKept ? kept : 'unpin']
    })
  }

  private async changed(
    cid: string,
    decide: (record: PinRecord, pin: OpenPin, deadline: Deadline) => Decided | Promise<Decided>,
  ): Promise<Outcome> {
    let outcome: Outcome = 'not-pinned'
    await this.ledger.change(cid, async (pin, deadline) => {
      const { record } = pin
      if (record === undefined) return undefined
      if (record.type !== 'pin') {
        outcome = 'not-a-plain-pin'
        return undefined
      }
      const decided = await decide(record, pin, deadline)
      outcome = typeof decided === 'string' ? decided : decided[0]
      const wanted = typeof decided === 'string' ? undefined : decided[1]
      if (wanted === undefined || wanted === 'unpin' || write(wanted) !== undefined) return wanted
      outcome = 'too-many-holders'
      return undefined
    })
    return outcome
  }
}

type Decided = Outcome | readonly [Outcome, Wanted]
