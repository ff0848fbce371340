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
  /** Pins held, and pins unfinished at a time; Infinity: as many as it likes. */
  readonly leases: number
  readonly unfinished: number
}

/** A caller, resolved: role, extra and removed permissions are already folded together. */
export interface Encoder {
  readonly name: string
  readonly enabled: boolean
  readonly role: string
  readonly permissions: ReadonlySet<Permission>
  readonly options: ReadonlySet<OptionGrant>
  readonly enforcement: Enforcement
  /** What its leases are kept under. */
  readonly leaseId: string
  /** Longest life of a lease; Infinity: as long as it asks for. */
  readonly retentionMs: number
  /** Networks it may come from; undefined means any. */
  readonly from: BlockList | undefined
  readonly limits: EncoderLimits
}
