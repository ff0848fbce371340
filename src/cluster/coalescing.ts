/** Coalesces equal requests to the cluster (single-flight): one exchange answers all of them. */
import type { Answer, Callback } from './answer-handler.js'
import type { Cluster } from './cluster.js'
import type { ClusterRequest } from './endpoint.js'
import { Exchange } from './exchange.js'
import { faultOf } from './faults.js'

export class RequestCoalescer {
  private readonly running = new Map<string, CoalescedExchange>()

  /** @param key requests with the same key share one exchange */
  request(
    cluster: Cluster,
    key: string,
    exchange: Exchange,
    options: ClusterRequest,
    callback: Callback,
  ): void {
    const running = this.running.get(key)
    if (running !== undefined) {
      running.join(exchange, callback)
      return
    }
    const coalesced = new CoalescedExchange(() => {
      if (this.running.get(key) === coalesced) this.running.delete(key)
    })
    this.running.set(key, coalesced)
    coalesced.join(exchange, callback)
    coalesced.start(cluster, options, exchange)
  }

  /**
   * No request joins these from now on: the cluster may have answered them before a write whose end
   * the next request has seen.
   */
  detach(keys: readonly string[]): void {
    for (const key of keys) this.running.delete(key)
  }

  detachAll(): void {
    this.running.clear()
  }
}

interface Waiter {
  readonly callback: Callback
  readonly startMs: number
}

class CoalescedExchange {
  private readonly waiters = new Map<Exchange, Waiter>()
  private own: Exchange | undefined

  /** @param onComplete called once no other request may join */
  constructor(private readonly onComplete: () => void) {}

  join(exchange: Exchange, callback: Callback): void {
    this.waiters.set(exchange, { callback, startMs: performance.now() })
    exchange.whenCancelled((reason) => {
      this.leave(exchange, reason)
    })
  }

  start(cluster: Cluster, request: ClusterRequest, first: Exchange): void {
    const { owner, timeoutMs } = first
    const own = new Exchange({ owner, isListing: false, isWhole: true, timeoutMs, onEnd: nothing })
    this.own = own
    cluster.request(own, request, (error, answer) => {
      this.onComplete()
      for (const [exchange, { startMs }] of this.waiters) {
        exchange.upstreamMs = performance.now() - startMs
        exchange.upstreamStatus = own.upstreamStatus
        exchange.endpoint = own.endpoint
      }
      this.end(error ?? answer)
    })
  }

  /** When the last waiter leaves, the exchange with the cluster is cancelled. */
  private leave(exchange: Exchange, reason: Error): void {
    const member = this.waiters.get(exchange)
    this.waiters.delete(exchange)
    if (this.waiters.size === 0) {
      this.onComplete()
      this.own?.cancel(reason)
    }
    if (member === undefined) return
    member.callback(faultOf(reason), undefined as never)
    exchange.end()
  }

  private end(result: Answer | Error): void {
    for (const [exchange, { callback }] of this.waiters) {
      this.waiters.delete(exchange)
      if (result instanceof Error) callback(result, undefined as never)
      else callback(null, result)
      exchange.end()
    }
  }
}

const nothing = () => undefined
