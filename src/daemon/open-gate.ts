/** What the gate is opened with, and what it is once it is open. */
import type { EndpointReport } from '../cluster/endpoint.js'
import type { FallbackReport } from '../fallback/fallback.js'
import type { Journal, JournalReport } from '../journal/journal.js'
import type { Leases } from '../leases/leases.js'
import type { Log } from '../log/log.js'
import type { PinNews } from '../progress/followed.js'
import type { Unsettled } from '../progress/follower.js'
import type { AccessLine } from '../gate/record/access-line.js'
import type { Budget } from '../settings/keyring/permissions.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Snapshot } from '../settings/snapshot.js'
import type { SharedKeyUses } from '../store/key-uses.js'
import type { StoreReport } from '../store/store.js'

export interface Opening {
  /** The settings in force; asked once for each request. */
  readonly current: () => Snapshot
  readonly log: Log
  readonly tls?: TlsMaterial | undefined
  /** Sees the line of every request, for the metrics. */
  readonly observe?: (line: AccessLine) => void
  /** Told what became of each pin. */
  readonly onPinNews?: (news: PinNews) => void
  /** Of pinwarden itself: named to the cluster. */
  readonly version: string
  /** Where the system lets this daemon keep what outlives it; undefined: nowhere. */
  readonly stateDirectory?: string | undefined
  /** A socket that is open already, instead of `listen.host` and `listen.port`; its address. */
  readonly passed?: { readonly descriptor: number; readonly host: string } | undefined
}

export interface OpenGate {
  /** Where it listens, e.g. `https://127.0.0.1:9098`. */
  readonly url: string
  readonly requestsUnderWay: number
  /** What an encoder has left of a budget; undefined: all of it. */
  readonly budgetLeft: (encoder: string, budget: Budget) => number | undefined
  readonly leases: Leases
  /** How many pins of each encoder the cluster is still at. */
  readonly unsettled: () => ReadonlyMap<string, Unsettled>
  /** Undefined: there is none. */
  readonly journal: OpenGateJournal | undefined
  /** Undefined: there is none. */
  readonly fallback: (() => FallbackReport) | undefined
  /** When other gates last saw each key; undefined: there are none. */
  readonly keyUses: SharedKeyUses | undefined
  /** Undefined: it is alone. */
  readonly store: (() => StoreReport) | undefined
  /** How each endpoint of the cluster is. */
  readonly endpoints: readonly EndpointReport[]
  /** Whether the cluster answers, asked with the cheapest questions it has. */
  isClusterUp(): Promise<boolean>
  /**
   * Takes over what the settings now in force say of the cluster, and another certificate for new
   * connections. Requests under way go on as they began.
   *
   * @throws when the certificate is no good; the old one stays
   */
  apply(tls: TlsMaterial | undefined): void
  /**
   * Stops accepting, ends connections with their next answer within `listen.lingerMs`, lets
   * requests under way finish within `listen.shutdownMs`, then ends every connection, half-open
   * ones at once.
   */
  close(): Promise<void>
}

export interface OpenGateJournal {
  readonly journal: Journal
  /** Has what failed tried again now. */
  readonly again: () => void
  readonly report: () => JournalReport
}
