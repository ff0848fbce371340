/** What the daemon is once it is open. */
import type { Activity } from '../admin/activity.js'
import type { KeyUse } from '../admin/key-use.js'
import type { PeerReport } from '../cluster/endpoint.js'
import type { FallbackReport } from '../fallback/fallback.js'
import type { LedgerStatus } from '../ledger/ledger-metrics.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import type { QueueCounts } from '../ledger/queue-metrics.js'
import type { LedgerDisk } from '../ledger/storage/ledger-disk.js'
import type { Log } from '../log/log.js'
import type { Registry } from '../metrics/registry.js'
import type { PendingPins } from '../tracking/tracker.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Budget } from '../settings/values/permissions.js'
import type { Reload, SettingsInForce } from '../settings/reload/live.js'
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
  readonly ledger: OpenLedger
  /** When other gates last saw each key; undefined: there are none. */
  readonly keyUses: SharedKeyUses | undefined
  /** Has pins that could not be replayed tried again now. */
  readonly retryQueue: () => void
  readonly ledgerDisk: LedgerDisk
  /** What each encoder is called in the ledger, by its leaseId. */
  readonly encoderNames: () => Promise<ReadonlyMap<string, string>>
  /** Where the admin listener is: a URL or the path of a socket; undefined: without one. */
  readonly admin: string | undefined
  /** Why it is not ready, beside the cluster: `starting`, `stopping`, `ledger`. */
  readonly obstacles: () => readonly string[]
  /** Reads the settings anew, once it serves. */
  readonly reloading: Reloading
  /** Where the gate listens, e.g. `https://127.0.0.1:9098`; null: not yet. */
  url(): string | null
  requestsUnderWay(): number
  /** What an encoder has left of a budget; undefined: all of it. */
  budgetLeft(encoder: string, budget: Budget): number | undefined
  /** How many pins of each encoder the cluster is still at. */
  pendingPins(): ReadonlyMap<string, PendingPins>
  ledgerReport(): Promise<LedgerStatus>
  /** Undefined: pins never wait. The next two: without one. */
  queueReport(): QueueCounts | undefined
  fallbackReport(): FallbackReport | undefined
  storeReport(): StoreReport | undefined
  /** How each endpoint of the cluster is. */
  endpoints(): readonly PeerReport[]
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

export interface Reloading {
  now?: (why: string) => Promise<Reload | undefined>
}
