/** What the daemon is once it is open. */
import type { Activity } from '../admin/activity.js'
import type { KeyUse } from '../admin/key-use.js'
import type { EndpointReport } from '../cluster/endpoint.js'
import type { FallbackReport } from '../fallback/fallback.js'
import type { Journal, JournalReport } from '../journal/journal.js'
import type { Leases } from '../leases/leases.js'
import type { Log } from '../log/log.js'
import type { Registry } from '../metrics/registry.js'
import type { PendingPins } from '../tracking/tracker.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Budget } from '../settings/keyring/permissions.js'
import type { SettingsInForce } from '../settings/reload/live.js'
import type { SharedKeyUses } from '../store/key-uses.js'
import type { StoreReport } from '../store/store.js'

/**
 * Its disposal stops accepting, ends connections with their next answer within `listen.lingerMs`,
 * lets requests under way finish within `listen.shutdownMs`, and then closes every part.
 */
export interface Daemon extends AsyncDisposable {
  readonly settings: SettingsInForce
  readonly log: Log
  readonly metrics: Registry
  readonly keyUse: KeyUse
  readonly activity: Activity
  readonly leases: Leases
  /** When other gates last saw each key; undefined: there are none. */
  readonly keyUses: SharedKeyUses | undefined
  /** Undefined: there is none. */
  readonly journal: OpenJournal | undefined
  /** Where the admin listener is: a URL or the path of a socket; undefined: there is none. */
  readonly admin: string | undefined
  /** Why it is not ready, beside the cluster: `starting`, `stopping`. */
  readonly obstacles: ReadonlySet<string>
  /** Where the gate listens, e.g. `https://127.0.0.1:9098`; null: not yet. */
  url(): string | null
  requestsUnderWay(): number
  /** What an encoder has left of a budget; undefined: all of it. */
  budgetLeft(encoder: string, budget: Budget): number | undefined
  /** How many pins of each encoder the cluster is still at. */
  pendingPins(): ReadonlyMap<string, PendingPins>
  /** Undefined: there is none. So are the next two. */
  journalReport(): JournalReport | undefined
  fallbackReport(): FallbackReport | undefined
  storeReport(): StoreReport | undefined
  /** How each endpoint of the cluster is. */
  endpoints(): readonly EndpointReport[]
  /** Whether the cluster answers, asked with the cheapest questions it has. */
  isClusterUp(): Promise<boolean>
  /**
   * Takes over what the settings now in force say of the cluster and the store, and another
   * certificate for new connections. Requests under way go on as they began.
   *
   * @throws when the certificate is no good; the old one stays
   */
  apply(tls: TlsMaterial | undefined): void
}

export interface OpenJournal {
  readonly journal: Journal
  /** Has what failed tried again now. */
  readonly again: () => void
}
