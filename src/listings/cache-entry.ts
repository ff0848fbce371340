/** A cache entry: one listing that the cluster is asked for once and any number of clients read. */
import type { Cluster } from '../cluster/cluster.js'
import { ClusterFault } from '../cluster/faults.js'
import { compressed } from './compressed.js'
import { type UpstreamRequest, UpstreamReader } from './upstream-reader.js'
import { Spool } from './spool.js'
import type { SpoolQuota } from './spool-quota.js'

export interface Head {
  readonly status: number
  /** From asking the cluster to its answer. */
  readonly upstreamMs: number
}

export class CacheEntry {
  /** When the cluster was asked, by the monotonic clock: it is never older than that. */
  askedMs = Infinity
  /** Resolves with the head of the cluster's answer, or rejects with the fault. */
  readonly head: Promise<Head>
  /** Settles when nothing more will come, whatever came. */
  readonly ended: Promise<void>
  /** Texts of the trailer X-Stream-Error, once the end is there; empty ones mean no error. */
  streamErrors: readonly string[] = []
  /** Whether it ended well: whole, and without an error in its trailer. */
  isComplete = false
  isOver = false
  private readonly plain: Spool
  private packed: Spool | undefined
  private reader: UpstreamReader | undefined
  private status = 0
  private users = 0
  private isClosed = false
  private readonly heading = Promise.withResolvers<Head>()
  private readonly ending = Promise.withResolvers<undefined>()

  constructor(private readonly quota: SpoolQuota) {
    this.head = this.heading.promise
    // All clients may have left.
    this.head.catch(() => undefined)
    this.ended = this.ending.promise
    this.plain = new Spool(quota, {
      onRoom: () => this.reader?.resume(),
      onUnread: () => {
        this.endUnread()
      },
    })
  }

  /** Asks the cluster. */
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

  /** Ends it before its time, or before its beginning. */
  fail(fault: ClusterFault): void {
    this.reader?.stop(fault)
    this.heading.reject(fault)
    this.end(fault)
  }

  /** Whether the cluster was asked for it; before, it waits for its turn. */
  get isAsked(): boolean {
    return this.reader !== undefined
  }

  /** Whether one more may read it from its start. */
  get isJoinable(): boolean {
    return this.plain.isWhole && (!this.isOver || this.isComplete)
  }

  /**
   * What a client reads from its start on: the client must open its cursor at once.
   *
   * @param wantsGzip whether it may be compressed
   */
  read(wantsGzip: boolean): { readonly spool: Spool; readonly isCompressed: boolean } {
    if (wantsGzip && this.status === 200 && this.plain.isWhole)
      this.packed ??= compressed(this.plain, this.quota)
    // Behind a disk that is full it has no start any more; what is plain all understand.
    if (wantsGzip && this.packed?.isWhole === true)
      return { spool: this.packed, isCompressed: true }
    return { spool: this.plain, isCompressed: false }
  }

  /** Keeps it open for one who is about to read, until the returned function is called. */
  retain(): () => void {
    this.users++
    return () => {
      this.users--
      if (this.isClosed) this.close()
    }
  }

  /** No client begins to read it any more, except those that retain it. */
  close(): void {
    this.isClosed = true
    if (this.users > 0) return
    this.plain.close()
    this.packed?.close()
  }

  /** Stops reading from the cluster when no client reads and none can join. */
  private endUnread(): void {
    if (!this.isOver && this.users === 0)
      this.reader?.stop(new ClusterFault('cluster-cut', new Error('all readers left')))
  }

  private end(fault?: ClusterFault): void {
    if (this.isOver) return
    this.isOver = true
    this.plain.finish(fault)
    this.ending.resolve(undefined)
  }
}
