/** The open daemon, as its parts and commands see it. */
import type { Activity } from '../admin/activity.js'
import type { KeyUse } from '../admin/key-use.js'
import type { PeerReport } from '../cluster/endpoint.js'
import type { LedgerStatus, QueueCounts } from '../ledger/ledger-metrics.js'
import type { OpenLedger } from '../ledger/open-ledger.js'
import type { LedgerDisk } from '../ledger/storage/ledger-disk.js'
import type { Log } from '../log/log.js'
import type { Registry } from '../metrics/registry.js'
import type { PendingPins } from '../tracking/tracked-pin.js'
import type { TlsMaterial } from '../settings/files/tls-pair.js'
import type { Budget } from '../settings/values/permissions.js'
import type { Reload, SettingsInForce } from '../settings/reload/live.js'
import type { SharedKeyUses } from '../store/key-uses.js'
import type { StoreReport } from '../store/store-metrics.js'

/**
 * Disposing of it stops accepting, ends each connection with its next answer within
 * `listen.lingerMs`, lets requests in flight finish within `listen.shutdownMs`, and then closes
 * every part.
 */
export interface Daemon extends AsyncDisposable {
  readonly settings: SettingsInForce
  readonly log: Log
  readonly metrics: Registry
  readonly keyUse: KeyUse
  readonly activity: Activity
  readonly ledger: OpenLedger
  /** When other gates last saw each key; undefined: this gate is alone. */
  readonly keyUses: SharedKeyUses | undefined
  /** Retries now the pins that could not be replayed. */
  readonly retryQueue: () => void
  readonly ledgerDisk: LedgerDisk
  /** Names of encoders in the ledger, by leaseId. */
  readonly encoderNames: () => Promise<ReadonlyMap<string, string>>
  /** Where the admin listener listens: a URL, or the path of its socket; undefined: it is off. */
  readonly admin: string | undefined
  /** Why it is not ready, apart from the cluster: `starting`, `stopping`, `ledger`. */
  readonly obstacles: () => readonly string[]
  /** Reloads the settings; available once the daemon serves. */
  readonly reloading: Reloading
  /** Where the gate listens, e.g. `https://127.0.0.1:9098`; null: not yet. */
  url(): string | null
  requestsInFlight(): number
  /** What remains of an encoder's budget; undefined: all of it. */
  budgetLeft(encoder: string, budget: Budget): number | undefined
  /** How many pins of each encoder the cluster has yet to finish. */
  pendingPins(): ReadonlyMap<string, PendingPins>
  ledgerReport(): Promise<LedgerStatus>
  /** Undefined where pins never wait; the next where the settings name none. */
  queueReport(): QueueCounts | undefined
  storeReport(): StoreReport | undefined
  /** The state of each endpoint of the cluster. */
  endpoints(): readonly PeerReport[]
  /** Whether the cluster answers its cheapest requests. */
  isClusterUp(): Promise<boolean>
  /**
   * Applies the current settings to cluster and store, and a new certificate to new connections.
   * Requests in flight continue as they began.
   * @throws when the certificate is invalid; the old one stays
   */
  apply(tls: TlsMaterial | undefined): void
}

export interface Reloading {
  now?: (why: string) => Promise<Reload | undefined>
}
