/** The settings in force: what a request sees from its first phase to its last. */
import type { BlockList } from 'node:net'
import type { Keyring } from './keyring.js'
import type { Budget, OptionGrant, Permission } from './permissions.js'
import type { Config } from './schema.js'

export interface BudgetLimit {
  readonly max: number
  readonly windowSeconds: number
}

/** An encoder's limits after its overrides were laid over the defaults. */
export type EncoderLimits = Readonly<Record<Budget, BudgetLimit>> & { readonly inFlight: number }

/** A caller, resolved: role, extra and removed permissions are already folded together. */
export interface Encoder {
  readonly name: string
  readonly enabled: boolean
  readonly permissions: ReadonlySet<Permission>
  readonly options: ReadonlySet<OptionGrant>
  /** Networks it may come from; undefined means any. */
  readonly from: BlockList | undefined
  readonly limits: EncoderLimits
}

/** Config and keyring together, immutable, swapped whole. */
export interface Snapshot {
  readonly config: Config
  readonly keyring: Keyring
  /** Passwords read from files, by the index of the cluster endpoint they belong to. */
  readonly endpointPasswords: readonly (string | undefined)[]
}
