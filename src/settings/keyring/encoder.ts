/** A caller as a request sees it: what it may do, from where, and how often. */
import type { BlockList } from 'node:net'
import type { Budget, Enforcement, OptionGrant, Permission } from '../values/permissions.js'

export interface BudgetLimit {
  readonly max: number
  readonly windowSeconds: number
}

/** An encoder's limits after its overrides were laid over the defaults. */
export type EncoderLimits = Readonly<Record<Budget, BudgetLimit>> & {
  readonly inFlight: number
  /** Most pins held, and most unfinished pins; Infinity: no bound. */
  readonly leases: number
  readonly unfinished: number
}

/** A caller with its permissions, computed from role, `allow` and `deny`. */
export interface Encoder {
  readonly name: string
  readonly enabled: boolean
  readonly role: string
  readonly permissions: ReadonlySet<Permission>
  readonly options: ReadonlySet<OptionGrant>
  readonly enforcement: Enforcement
  /** The id of its leases. */
  readonly leaseId: string
  /** Longest life of a lease; Infinity: no bound. */
  readonly retentionMs: number
  /** Networks it may come from; undefined means any. */
  readonly from: BlockList | undefined
  readonly limits: EncoderLimits
}
