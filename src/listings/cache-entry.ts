/** A cache entry: one listing, read once from the cluster for any number of clients. */
import type { Cluster } from '../cluster/cluster.js'
import { ClusterFault } from '../cluster/faults.js'
import type { LanePlace } from '../cluster/lane.js'
import { KeyedCounter } from '../collections/keyed-counter.js'
import { compressed } from './compressed.js'
import { type UpstreamRequest, UpstreamReader } from './upstream-reader.js'
import { Spool } from './spool.js'
import type { SpoolQuota } from './spool-quota.js'

export interface Head {
  readonly status: number
  /** From the request to the cluster until its answer. */
  readonly upstreamMs: number
}

export interface CacheEntryEvents {
  /** No client waits for the entry or reads it. */
  readonly onUnused: () => void
  /** It no longer fits on the disk: from now on it only passes through, and no client can join. */
  readonly onPassing: () => void
}

export class CacheEntry {
  /** When the cluster was asked, by the monotonic clock: the contents are never older. */
  askedMs = Infinity
  /** Resolves with the head of the cluster's answer, or rejects with the fault. */
  readonly head: Promise<Head>
  /** Settles when the listing has ended, successfully or not. */
  readonly ended: Promise<void>
  /** Texts of the trailer X-Stream-Error, at the end; empty ones mean no error. */
  streamErrors: readonly string[] = []
  /** Whether the listing succeeded: complete, and without an error in its trailer. */
  isComplete = false
  isOver = false
  private readonly plain: Spool
  private packed: Spool | undefined
  private reader: UpstreamReader | undefined
  private status = 0
  /** Clients that wait for it or read it, by owner. */
  private readonly users = new KeyedCounter()
  private isClosed = false
  private readonly heading = Promise.withResolvers<Head>()
  private readonly ending = Promise.withResolvers<undefined>()

  /** @param place in the lane of listings */
  constructor(
    private readonly quota: SpoolQuota,
    readonly place: LanePlace,
    private readonly events: CacheEntryEvents,
  ) {
    this.head = this.heading.promise
    // All clients may have left.
    this.head.catch(() => undefined)
    this.ended = this.ending.promise
    this.plain = new Spool(quota, {
      onRoom: () => this.reader?.resume(),
      onPassing: () => {
        if (this.isUsed) this.events.onPassing()
        else this.events.onUnused()
      },
    })
  }

  /** Sends the request to the cluster. */
  start(cluster: Cluster, request: UpstreamRequest): void {
    const startMs = performance.now()
    this.askedMs = startMs
    this.reader = new UpstreamReader(cluster, request, {
      head: (status) => {
        this.status = status
        this.heading.resolve({ status, upstreamMs: performance.now() - startMs })
      },
      chunk: (chunk) => this.plain.append(chunk),
      end: (trailers) => {
        this.streamErrors = [trailers['x-stream-error'] ?? []].flat()
        const isGood = this.status === 200 || this.status === 204
        this.isComplete = isGood && this.streamErrors.every((text) => text === '')
        this.end()
      },
      fail: (fault) => {
        this.fail(fault)
      },
    })
  }

  /** Ends it early, or before its beginning. */
  fail(fault: ClusterFault): void {
    this.reader?.giveUp(fault)
    this.heading.reject(fault)
    this.end(fault)
  }

  /** Whether the request was sent; before, the entry waits for its turn. */
  get isAsked(): boolean {
    return this.reader !== undefined
  }

  get isUsed(): boolean {
    return this.users.size > 0
  }

  /** Whether another client may read it from its start. */
  get isJoinable(): boolean {
    return this.plain.isWhole && (!this.isOver || this.isComplete)
  }

  /**
   * A source from the start of the listing; the client must open its cursor in the same turn.
   * @param wantsGzip whether it may be compressed
   */
  read(wantsGzip: boolean): { readonly spool: Spool; readonly isCompressed: boolean } {
    if (wantsGzip && this.status === 200 && this.plain.isWhole)
      this.packed ??= compressed(this.plain, this.quota)
    // After a full disk its start is gone; every client understands plain bytes.
    if (wantsGzip && this.packed?.isWhole === true)
      return { spool: this.packed, isCompressed: true }
    return { spool: this.plain, isCompressed: false }
  }

  /** Keeps it open for a client that waits or reads, until the returned function is called. */
  retain(owner: string): () => void {
    this.users.add(owner)
    this.place.join(owner)
    let isRetained = true
    return () => {
      if (!isRetained) return
      isRetained = false
      this.users.add(owner, -1)
      if (this.users.of(owner) === 0) this.place.part(owner)
      if (this.isUsed) return
      if (!this.isOver) this.events.onUnused()
      if (this.isClosed) this.close()
    }
  }

  /** No other client can begin to read it, except those that retain it. */
  close(): void {
    this.isClosed = true
    if (this.isUsed) return
    if (!this.isOver) this.fail(new ClusterFault('cluster-cut', new Error('all readers left')))
    this.plain.close()
    this.packed?.close()
  }

  private end(fault?: ClusterFault): void {
    if (this.isOver) return
    this.isOver = true
    this.plain.finish(fault)
    this.ending.resolve(undefined)
  }
}
