/** Listings that cost the cluster nothing but the first: one at a time, shared by all who ask. */
import { ClusterFault, faultOf } from '../cluster/faults.js'
import type { ClusterClient } from '../cluster/cluster-client.js'
import { Copy } from './copy.js'
import type { PeerCount } from './peer-count.js'
import type { SpoolRoom } from './spool-room.js'

/** How a client came to its listing. */
export type Origin = 'fresh' | 'shared' | 'cached'

export interface ListingRequest {
  /** Canonical; what is the same in it is the same listing. */
  readonly query: string
  /** Headers for the cluster, if it is asked for this client. */
  readonly headers: Readonly<Record<string, string>>
  /** Whether the cluster answers from its operations alone, which is cheap. */
  readonly isCheap: boolean
  /** Whether `local=true` may be used where it means the same. */
  readonly mayBeLocal: boolean
  /** Whether pins that are kept for a grace are left out. */
  readonly hidesLetGo: boolean
  /** Whether it must not have been asked of the cluster before now. */
  readonly mustBeNew: boolean
  /** How long a copy is good for others after its end. */
  readonly maxAgeMs: number
  readonly headMs: number
  readonly runMs: number
  /** Longest wait for an answer to the cheap question how many peers there are. */
  readonly idMs: number
  /** Aborted when the client does not wait any longer. */
  readonly signal: AbortSignal
}

export interface Found {
  readonly copy: Copy
  readonly origin: Origin
  /** To be called when it is being read, or will not be. */
  readonly release: () => void
}

/** Bound on the different listings that are kept or under way. */
const copiesMax = 16

export class Listings {
  private readonly copies = new Map<string, Copy>()
  private turn: Promise<void> = Promise.resolve()

  constructor(
    private readonly cluster: ClusterClient,
    private readonly room: SpoolRoom,
    private readonly peerCount: PeerCount,
  ) {}

  /**
   * The copy that answers a request; one is begun where there is none. It may be one whose head, or
   * whose turn, is still to come.
   *
   * @throws the signal's reason when it is aborted before; ClusterFault when there are too many
   */
  async find(request: ListingRequest): Promise<Found> {
    const { query, mustBeNew, signal } = request
    const arrivedAt = Date.now()
    for (;;) {
      signal.throwIfAborted()
      const copy = this.copies.get(query)
      if (copy === undefined) return found(this.begin(request), 'fresh')
      if (copy.isJoinable && !(mustBeNew && copy.askedAt < arrivedAt))
        return found(copy, copy.isOver ? 'cached' : 'shared')
      if (copy.isOver) this.forget(query, copy)
      else await either(copy.ended, signal)
    }
  }

  /** Nobody joins what was asked of a cluster that is no longer in force; who reads it goes on. */
  clear(): void {
    for (const [query, copy] of this.copies) if (copy.isAsked) this.forget(query, copy)
  }

  /** Gives up what is under way. */
  close(): void {
    for (const [query, copy] of this.copies) {
      copy.fail(new ClusterFault('cluster-cut', new Error('the gate closes')))
      this.forget(query, copy)
    }
  }

  private begin(request: ListingRequest): Copy {
    this.makeRoom()
    const { query, isCheap, maxAgeMs } = request
    const copy = new Copy(this.room)
    this.copies.set(query, copy)
    const run = async (): Promise<void> => {
      if (copy.isOver) return
      // Whatever goes wrong with this one, the next has its turn.
      await this.start(copy, request).catch((error: unknown) => {
        copy.fail(faultOf(error))
      })
      await copy.ended
      this.keep(query, copy, maxAgeMs)
    }
    if (isCheap) void run()
    else this.inTurn(run)
    return copy
  }

  /** Whole listings one after the other: each makes the cluster load Kubo's whole pinset. */
  private inTurn(run: () => Promise<void>): void {
    this.turn = this.turn.then(run)
  }

  private async start(copy: Copy, request: ListingRequest): Promise<void> {
    const { query, headers, isCheap, mayBeLocal, hidesLetGo, headMs, runMs, idMs } = request
    const mayAsk = this.cluster.current.endpoints.length === 1 && mayBeLocal && !isCheap
    const isLocal = mayAsk && (await this.peerCount.isOne(this.cluster.current, headers, idMs))
    if (copy.isOver) return
    const asked = isLocal ? withLocal(query) : query
    const path = asked === '' ? '/pins' : `/pins?${asked}`
    copy.start(this.cluster.current, { path, headers, headMs, runMs, hidesLetGo })
  }

  /** A listing that came to no good end is nobody's any more; the next one who asks tries again. */
  private keep(query: string, copy: Copy, maxAgeMs: number): void {
    if (!copy.isJoinable || maxAgeMs === 0) {
      this.forget(query, copy)
      return
    }
    setTimeout(() => {
      this.forget(query, copy)
    }, maxAgeMs).unref()
  }

  private forget(query: string, copy: Copy): void {
    if (this.copies.get(query) === copy) this.copies.delete(query)
    copy.close()
  }

  private makeRoom(): void {
    for (const [query, copy] of this.copies) {
      if (this.copies.size < copiesMax) return
      if (copy.isOver) this.forget(query, copy)
    }
    if (this.copies.size >= copiesMax) throw new ClusterFault('cluster-busy')
  }
}

const found = (copy: Copy, origin: Origin): Found => ({ copy, origin, release: copy.retain() })

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
