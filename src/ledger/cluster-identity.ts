/**
 * Which cluster the ledger is of. Another address, limit or password is no other cluster: its peers
 * say which it is. Nothing that was written to one is repaired in another.
 */
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { SetTimer } from '../time/set-timer.js'
import type { ClusterPort, KnownCluster } from './cluster-port.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface ClusterIdentityParts {
  readonly storage: Pick<LedgerStorage, 'contents' | 'note'>
  readonly cluster: Pick<ClusterPort, 'peers' | 'urls'>
  /** It is known which cluster is asked now. @param isAnother than the one before */
  readonly onKnown: (isAnother: boolean) => void
  readonly log: Logger
  readonly monotonic: () => number
  readonly setTimer: SetTimer
}

/** The first time is nothing that anybody waits for. */
const firstMs = 30_000

/** While the cluster does not say who it is. */
const retryMs = 5000

export class ClusterIdentity {
  private known: KnownCluster | undefined
  private isSame = true
  private readonly scheduler: Scheduler

  constructor(private readonly parts: ClusterIdentityParts) {
    this.known = parts.storage.contents.cluster
    const { monotonic: now, setTimer } = parts
    this.scheduler = new Scheduler({ round: () => this.round(), now, setTimer })
    this.check()
  }

  /** Whether the cluster that is asked now is known to be the ledger's. */
  get isKnown(): boolean {
    return this.isSame
  }

  /** The settings may name another one now. */
  check(): void {
    const { known } = this
    const urls = this.parts.cluster.urls()
    if (known === undefined) {
      // A ledger that knows of none has nothing that could be another's.
      this.scheduler.runWithin(firstMs)
      return
    }
    this.isSame = known.urls.join() === urls.join()
    if (!this.isSame) this.scheduler.runWithin(0)
  }

  close(): void {
    this.scheduler.close()
  }

  private async round(): Promise<number | undefined> {
    const { storage, cluster, onKnown, log } = this.parts
    const { known } = this
    const urls = cluster.urls()
    let peers
    try {
      peers = await cluster.peers()
    } catch {
      return retryMs
    }
    if (urls.join() !== cluster.urls().join()) return 0
    const isAnother = known !== undefined && !peers.some((peer) => known.peers.includes(peer))
    const all = isAnother ? peers : [...new Set([...(known?.peers ?? []), ...peers])]
    this.known = { urls, peers: all }
    void storage.note([{ kind: 'cluster', cluster: this.known, isAnother }])
    if (isAnother) log('error', { was: known.peers, is: peers }, another)
    this.isSame = true
    onKnown(isAnother)
    return undefined
  }
}

const another =
  'the cluster is another than that of the ledger: what was promised before is not repaired there'
