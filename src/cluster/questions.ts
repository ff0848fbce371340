/** Questions under way: whoever asks the same as somebody before gets the same answer. */
import type { Answer, Callback } from './answer-handler.js'
import type { Cluster } from './cluster.js'
import type { ClusterRequest } from './endpoint.js'
import { Exchange } from './exchange.js'
import { faultOf } from './faults.js'

export class Questions {
  private readonly flights = new Map<string, Flight>()

  /** @param question what is the same in it is the same question */
  ask(
    cluster: Cluster,
    question: string,
    exchange: Exchange,
    options: ClusterRequest,
    callback: Callback,
  ): void {
    const known = this.flights.get(question)
    if (known !== undefined) {
      known.join(exchange, callback)
      return
    }
    const flight = new Flight(() => {
      if (this.flights.get(question) === flight) this.flights.delete(question)
    })
    this.flights.set(question, flight)
    flight.join(exchange, callback)
    flight.start(cluster, options, exchange.timeoutMs)
  }

  /**
   * Nobody joins these any more: they may have been answered before a write that whoever asks now
   * has seen the end of.
   */
  close(questions: readonly string[]): void {
    for (const question of questions) this.flights.delete(question)
  }

  closeAll(): void {
    this.flights.clear()
  }
}

interface Member {
  readonly callback: Callback
  readonly startMs: number
}

class Flight {
  private readonly members = new Map<Exchange, Member>()
  private own: Exchange | undefined

  /** @param onLanding called when nobody can join any more */
  constructor(private readonly onLanding: () => void) {}

  join(exchange: Exchange, callback: Callback): void {
    this.members.set(exchange, { callback, startMs: performance.now() })
    exchange.whenCancelled((reason) => {
      this.leave(exchange, reason)
    })
  }

  start(cluster: Cluster, request: ClusterRequest, timeoutMs: number): void {
    const own = new Exchange({ isListing: false, isWhole: true, timeoutMs, onEnd: nothing })
    this.own = own
    cluster.request(own, request, (error, answer) => {
      this.onLanding()
      for (const [exchange, { startMs }] of this.members) {
        exchange.upstreamMs = performance.now() - startMs
        exchange.upstreamStatus = own.upstreamStatus
        exchange.endpoint = own.endpoint
      }
      this.end(error ?? answer)
    })
  }

  /** The last one to leave frees the cluster. */
  private leave(exchange: Exchange, reason: Error): void {
    const member = this.members.get(exchange)
    this.members.delete(exchange)
    if (this.members.size === 0) {
      this.onLanding()
      this.own?.cancel(reason)
    }
    if (member === undefined) return
    exchange.end()
    member.callback(faultOf(reason), undefined as never)
  }

  private end(outcome: Answer | Error): void {
    for (const [exchange, { callback }] of this.members) {
      this.members.delete(exchange)
      exchange.end()
      if (outcome instanceof Error) callback(outcome, undefined as never)
      else callback(null, outcome)
    }
  }
}

const nothing = () => undefined
