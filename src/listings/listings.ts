/** Listings that cost the cluster nothing but the first: one at a time, shared by all who ask. */
import type { RequestHeaders } from '../http/headers.js'
import type { AccessLine } from '../log/access-line.js'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { CacheEntry } from './cache-entry.js'
import type { PeerCount } from './peer-count.js'
import type { SpoolQuota } from './spool-quota.js'

/** How a client came to its listing. */
export type Origin = NonNullable<AccessLine['listing']>

export interface ListingRequest {
  /** Canonical; what is the same in it is the same listing. */
  readonly query: string
  /** Headers for the cluster, if it is asked for this client. */
  readonly headers: RequestHeaders
  /** Whether the cluster answers from its operations alone, which is cheap. */
  readonly isCheap: boolean
  /** Whether `local=true` may be used where it means the same. */
  readonly mayBeLocal: boolean
  /** Whether it must not have been asked of the cluster before now. */
  readonly mustBeNew: boolean
  /** How long a cache entry serves other clients after its end. */
  readonly maxAgeMs: number
  readonly headMs: number
  readonly runMs: number
  /** Longest wait for an answer to the cheap question how many peers there are. */
  readonly idMs: number
  /** Aborted when the client does not wait any longer. */
  readonly signal: AbortSignal
}

export interface Found {
  readonly entry: CacheEntry
  readonly origin: Origin
  /** To be called when it is being read, or will not be. */
  readonly release: () => void
}

/** Bound on the different listings that are kept or under way. */
const entriesMax = 16

export class Listings {
  private readonly entries = new Map<string, CacheEntry>()
  private turn: Promise<void> = Promise.resolve()

  constructor(
    private readonly cluster: ClusterClient,
    private readonly quota: SpoolQuota,
    private readonly peerCount: PeerCount,
  ) {}

  /**
   * The cache entry that answers a request; a new one begins where there is none. Its head, or its
   * turn, may still be to come.
   *
   * @throws the signal's reason when it is aborted before; ClusterFault when there are too many
   */
  async find(request: ListingRequest): Promise<Found> {
    const { query, mustBeNew, signal } = request
    const arrivedMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      const entry = this.entries.get(query)
      if (entry === undefined) return found(this.begin(request), 'fresh')
      if (entry.isJoinable && !(mustBeNew && entry.askedMs < arrivedMs))
        return found(entry, entry.isOver ? 'cached' : 'shared')
      if (entry.isOver) this.forget(query, entry)
      else await either(entry.ended, signal)
    }
  }

  /** New settings: no client joins a listing of the former cluster; its readers go on. */
  clear(): void {
    for (const [query, entry] of this.entries) if (entry.isAsked) this.forget(query, entry)
  }

  /** Gives up what is under way. */
  close(): void {
    for (const [query, entry] of this.entries) {
      entry.fail(new ClusterFault('cluster-cut', new Error('the gate closes')))
      this.forget(query, entry)
    }
  }

  private begin(request: ListingRequest): CacheEntry {
    this.evict()
    const { query, isCheap, maxAgeMs } = request
    const entry = new CacheEntry(this.quota)
    this.entries.set(query, entry)
    const run = async (): Promise<void> => {
      if (entry.isOver) return
      // Whatever goes wrong with this one, the next has its turn.
      await this.start(entry, request).catch((error: unknown) => {
        entry.fail(faultOf(error))
      })
      await entry.ended
      this.keep(query, entry, maxAgeMs)
    }
    if (isCheap) void run()
    else this.inTurn(run)
    return entry
  }

  /** Whole listings one after the other: each makes the cluster load Kubo's whole pinset. */
  private inTurn(run: () => Promise<void>): void {
    this.turn = this.turn.then(run)
  }

  private async start(entry: CacheEntry, request: ListingRequest): Promise<void> {
    const { query, headers, isCheap, mayBeLocal, headMs, runMs, idMs } = request
    const mayAsk = this.cluster.current.endpoints.length === 1 && mayBeLocal && !isCheap
    const { current } = this.cluster
    const peers = mayAsk ? await this.peerCount.of(current, headers, idMs) : 'several'
    if (entry.isOver) return
    const asked = peers === 'one' ? withLocal(query) : query
    const path = asked === '' ? '/pins' : `/pins?${asked}`
    const mayBeEmpty = peers !== 'unknown'
    entry.start(this.cluster.current, { path, headers, headMs, runMs, mayBeEmpty })
  }

  /** Forgets a listing that did not end well, so that the next request tries again. */
  private keep(query: string, entry: CacheEntry, maxAgeMs: number): void {
    if (!entry.isJoinable || maxAgeMs === 0) {
      this.forget(query, entry)
      return
    }
    setTimeout(() => {
      this.forget(query, entry)
    }, maxAgeMs).unref()
  }

  private forget(query: string, entry: CacheEntry): void {
    if (this.entries.get(query) === entry) this.entries.delete(query)
    entry.close()
  }

  private evict(): void {
    for (const [query, entry] of this.entries) {
      if (this.entries.size < entriesMax) return
      if (entry.isOver) this.forget(query, entry)
    }
    if (this.entries.size >= entriesMax) throw new ClusterFault('cluster-busy')
  }
}

const found = (entry: CacheEntry, origin: Origin): Found => ({
  entry,
  origin,
  release: entry.retain(),
})

const withLocal = (query: string): string => (query === '' ? 'local=true' : `${query}&local=true`)

/** Whatever is first; rejects with the signal's reason. */
export function either<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(signal.reason as Error)
    }
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', leave)
    })
  })
}
