/**
 * Which cluster the ledger belongs to. A new address, limit or password does not make another
 * cluster: its peers tell which one it is. The gate repairs nothing in another cluster.
 */
import type { Logger } from '../log/logger.js'
import { Scheduler } from '../time/scheduler.js'
import type { Timers } from '../time/clock.js'
import type { ClusterPort, KnownCluster } from './cluster-port.js'
import type { LedgerStorage } from './storage/ledger-storage.js'

export interface ClusterIdentityParts extends Timers {
  readonly storage: Pick<LedgerStorage, 'contents' | 'note'>
  readonly cluster: Pick<ClusterPort, 'peers' | 'urls'>
  /**
   * The current cluster is known.
   * @param isAnother than the one before
   */
  readonly onKnown: (isAnother: boolean) => void
  /** @param peers undefined: the current cluster is unknown */
  readonly onPeers?: ((peers: readonly string[] | undefined) => Promise<void>) | undefined
  readonly log: Logger
}

/** No request waits for the first attempt. */
const firstMs = 30_000

/** Delay before the next attempt, while the cluster does not report its peers. */
const retryMs = 5000

export class ClusterIdentity {
  private known: KnownCluster | undefined
  private isSame = true
  /** Settles after the first attempt, or needs none. */
  readonly asked: Promise<void>
  private readonly isAsked = Promise.withResolvers<undefined>()
  private readonly scheduler: Scheduler

  constructor(private readonly parts: ClusterIdentityParts) {
    this.known = parts.storage.contents.cluster
    this.scheduler = new Scheduler(() => this.round(), parts)
    this.asked = this.isAsked.promise
    this.check()
  }

  /** Whether the current cluster is known to be the ledger's. */
  get isKnown(): boolean {
    return this.isSame
  }

  /** The settings may name another cluster now. */
  check(): void {
    const { known } = this
    const urls = this.parts.cluster.urls()
    const { onPeers } = this.parts
    if (known === undefined) {
      // A ledger that knows no cluster has nothing that could belong to another; a store may have.
      this.scheduler.runWithin(onPeers === undefined ? firstMs : 0)
      if (onPeers === undefined) this.isAsked.resolve(undefined)
      return
    }
    this.isSame = known.urls.join() === urls.join()
    const reported = onPeers?.(this.isSame ? known.peers : undefined)
    if (!this.isSame) this.scheduler.runWithin(0)
    else
      void Promise.resolve(reported).then(() => {
        this.isAsked.resolve(undefined)
      })
  }

  close(): void {
    this.scheduler.close()
  }

  private async round(): Promise<number | undefined> {
    const { storage, cluster, onKnown, onPeers, log } = this.parts
    const { known } = this
    const urls = cluster.urls()
    let peers
    try {
      peers = await cluster.peers()
    } catch {
      this.isAsked.resolve(undefined)
      return retryMs
    }
    if (urls.join() !== cluster.urls().join()) return 0
    const isAnother = known !== undefined && !peers.some((peer) => known.peers.includes(peer))
    const all = isAnother ? peers : [...new Set([...(known?.peers ?? []), ...peers])]
    this.known = { urls, peers: all }
    void storage.note([{ kind: 'cluster', cluster: this.known, isAnother }])
    if (isAnother) log('error', { was: known.peers, is: peers }, another)
    this.isSame = true
    await onPeers?.(all)
    this.isAsked.resolve(undefined)
    onKnown(isAnother)
    return undefined
  }
}

const another =
  'the ledger belongs to another cluster; this one gets no repairs for earlier promises'
