/** Shares listings: the cluster answers one at a time, and all clients that ask read it. */
import type { RequestHeaders } from '../http/headers.js'
import type { AccessLine } from '../log/access-line.js'
import { ClusterFault, faultOf } from '../cluster/faults.js'
import { readLines } from '../cluster/lines.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { CacheEntry } from './cache-entry.js'
import type { PeerCount } from './peer-count.js'
import type { SpoolQuota } from './spool-quota.js'
import { Lane } from '../cluster/lane.js'

/** Where a client's listing came from. */
export type Origin = NonNullable<AccessLine['listing']>

export interface ListingRequest {
  /** The encoder of the request. */
  readonly owner: string
  /** Canonical; equal paths are the same listing. */
  readonly query: string
  /** Headers for the cluster, if this client's request goes there. */
  readonly headers: RequestHeaders
  /** Whether the cluster answers from its operations alone, which is cheap. */
  readonly isCheap: boolean
  /** Whether `local=true` may be used where it means the same. */
  readonly mayBeLocal: boolean
  /** Whether only a listing that begins from now on is acceptable. */
  readonly mustBeNew: boolean
  /** How long a cache entry serves other clients after its end. */
  readonly maxAgeMs: number
  readonly headMs: number
  readonly runMs: number
  /** Time limit for reading the number of peers. */
  readonly idMs: number
  /** Aborted when the client does not wait any longer. */
  readonly signal: AbortSignal
}

export interface Found {
  readonly entry: CacheEntry
  readonly origin: Origin
  /** Call it after reading, or instead of it. */
  readonly release: () => void
}

/** Most cached listings. */
const keptMax = 16

/** Listings of operations at once: the cluster answers them from memory. */
const cheapMax = 4

const waitingMax = 64

/** Listings that may continue beside the one whose turn it is. */
const asideMax = 2

/**
 * Whole listings take turns, as each makes the cluster load Kubo's whole pinset; the turns rotate
 * among encoders. A listing that no client reads, or that only passes through at the pace of slow
 * readers, blocks no other: it continues beside the next, or ends.
 */
export class Listings {
  private readonly entries = new Map<string, CacheEntry>()
  private readonly whole = new Lane(1, waitingMax)
  private readonly cheap = new Lane(cheapMax, waitingMax)
  private running: CacheEntry | undefined
  private aside: readonly CacheEntry[] = []

  constructor(
    private readonly cluster: ClusterClient,
    private readonly quota: SpoolQuota,
    private readonly peerCount: PeerCount,
  ) {}

  /**
   * The cache entry that answers a request; a new one begins if no existing one fits. Its head, or
   * its turn, may still be to come.
   *
   * @throws the signal's reason when it is aborted before; ClusterFault when there are too many
   */
  async find(request: ListingRequest): Promise<Found> {
    const { owner, query, mustBeNew, signal } = request
    const arrivedMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      const entry = this.entries.get(query)
      if (entry === undefined) return found(this.begin(request), 'fresh', owner)
      if (entry.isJoinable && !(mustBeNew && entry.askedMs < arrivedMs))
        return found(entry, entry.isOver ? 'cached' : 'shared', owner)
      // A listing that passes through keeps its readers; a new client gets its own turn.
      if (entry.isOver || !entry.isJoinable) this.forget(query, entry)
      else await either(entry.ended, signal)
    }
  }

  /** New settings: no client joins a listing of the former cluster; its readers continue. */
  clear(): void {
    for (const [query, entry] of this.entries) if (entry.isAsked) this.forget(query, entry)
  }

  /** Aborts all listings. */
  close(): void {
    for (const [query, entry] of this.entries) {
      entry.fail(new ClusterFault('cluster-cut', new Error('the gate closes')))
      entry.place.leave()
      this.forget(query, entry)
    }
  }

  private begin(request: ListingRequest): CacheEntry {
    this.evict()
    const { owner, query, isCheap } = request
    const place = (isCheap ? this.cheap : this.whole).reserve(owner)
    if (place === undefined) throw new ClusterFault('cluster-busy')
    const entry = new CacheEntry(this.quota, place, {
      onUnused: () => {
        this.unused(entry, request)
      },
      onPassing: () => {
        this.makeRoom()
      },
    })
    this.entries.set(query, entry)
    place.begin(() => void this.run(entry, request))
    this.makeRoom()
    return entry
  }

  private async run(entry: CacheEntry, request: ListingRequest): Promise<void> {
    const { query, isCheap, maxAgeMs } = request
    if (!isCheap) this.running = entry
    // Whatever happens to this one, the next gets its turn.
    await this.start(entry, request).catch((error: unknown) => {
      entry.fail(faultOf(error))
    })
    await entry.ended
    if (this.running === entry) this.running = undefined
    this.aside = this.aside.filter((other) => other !== entry)
    this.keep(query, entry, maxAgeMs)
    entry.place.leave()
  }

  /** No client waits for it or reads it. */
  private unused(entry: CacheEntry, { query, isCheap, maxAgeMs }: ListingRequest): void {
    const isOfUse = entry.place.isTaken && entry.isJoinable && !isCheap && maxAgeMs > 0
    if (isOfUse && this.entries.get(query) === entry) {
      this.makeRoom()
      return
    }
    entry.fail(unwanted())
    entry.place.leave()
    this.forget(query, entry)
  }

  /** The next turn does not wait for a listing without readers, or with slow ones. */
  private makeRoom(): void {
    const { running } = this
    if (running === undefined || !this.whole.isWaitedFor) return
    if (running.isUsed && running.isJoinable) return
    this.running = undefined
    this.aside = [...this.aside, running]
    if (this.aside.length > asideMax)
      (this.aside.find(({ isUsed }) => !isUsed) ?? this.aside[0])?.fail(unwanted())
    running.place.leave()
  }

  private async start(entry: CacheEntry, request: ListingRequest): Promise<void> {
    const { query, headers, isCheap, mayBeLocal, headMs, runMs, idMs } = request
    const { current } = this.cluster
    const mayAsk = current.endpoints.length === 1 && mayBeLocal && !isCheap
    const peers = mayAsk ? await this.peerCount.of(current, headers, idMs) : 'several'
    if (entry.isOver) return
    const path = pathOf(peers === 'one' ? withLocal(query) : query)
    const isLocal = peers === 'one' || query.includes('local=true')
    const verifyEmpty =
      isCheap || isLocal ? undefined : () => this.verifyEmpty(query, headers, headMs)
    const of = isCheap ? 'operations' : 'cacheFills'
    entry.start(this.cluster.current, { path, headers, headMs, runMs, of, verifyEmpty })
  }

  /**
   * With Kubo down, a peer omits its pins, and a listing of all peers looks empty; a listing of the
   * peer alone reports the error.
   * @throws ClusterFault
   */
  private verifyEmpty(query: string, headers: RequestHeaders, headMs: number): Promise<void> {
    const question = { path: pathOf(withLocal(query)), headers, headMs }
    return readLines(this.cluster, question, () => {
      throw new ClusterFault('cluster-unavailable', new Error('it lists no pin, and has some'))
    })
  }

  /** Forgets a listing that did not succeed, so that the next request tries again. */
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
    const over = [...this.entries].filter(([, { isOver }]) => isOver)
    for (const [query, entry] of over.slice(0, Math.max(0, over.length - keptMax + 1)))
      this.forget(query, entry)
  }
}

const unwanted = (): ClusterFault => new ClusterFault('cluster-cut', new Error('all readers left'))

const found = (entry: CacheEntry, origin: Origin, owner: string): Found => ({
  entry,
  origin,
  release: entry.retain(owner),
})

const pathOf = (query: string): string => (query === '' ? '/pins' : `/pins?${query}`)

const withLocal = (query: string): string => (query === '' ? 'local=true' : `${query}&local=true`)

/** Resolves with whichever comes first; rejects with the signal's reason. */
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
