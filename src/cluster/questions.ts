/** Questions under way: whoever asks the same as somebody before gets the same answer. */
import { Readable } from 'node:stream'
import type { Answer, Callback, Cluster, Exchange, RequestOptions } from './cluster.js'
import { ClusterFault, faultOf } from './faults.js'

export class Questions {
  private readonly flights = new Map<string, Flight>()

  /** @param question what is the same in it is the same question */
  ask(
    cluster: Cluster,
    question: string,
    exchange: Exchange,
    options: RequestOptions,
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

/** An answer that several wait for is held in memory; one about a pin has no more than this. */
const bytesMax = 4 * 1024 * 1024

class Flight {
  private readonly members = new Map<Exchange, Member>()
  private readonly abort = new AbortController()

  /** @param onLanding called when nobody can join any more */
  constructor(private readonly onLanding: () => void) {}

  join(exchange: Exchange, callback: Callback): void {
    this.members.set(exchange, { callback, startMs: performance.now() })
    exchange.abort.signal.addEventListener('abort', () => {
      this.leave(exchange)
    })
  }

  start(cluster: Cluster, options: RequestOptions, timeoutMs: number): void {
    const own: Exchange = { isListing: false, timeoutMs, abort: this.abort, onEnd: nothing }
    cluster.request(own, options, (error, answer) => {
      this.onLanding()
      for (const [exchange, { startMs }] of this.members) {
        exchange.upstreamMs = performance.now() - startMs
        if (own.upstreamStatus !== undefined) exchange.upstreamStatus = own.upstreamStatus
      }
      if (error !== null) this.fail(error)
      else if (this.members.size === 1) this.pass(answer)
      else void this.share(answer)
    })
  }

  /** The last one to leave frees the cluster. */
  private leave(exchange: Exchange): void {
    const member = this.members.get(exchange)
    this.members.delete(exchange)
    if (this.members.size === 0) {
      this.onLanding()
      this.abort.abort(exchange.abort.signal.reason)
    }
    if (member === undefined) return
    exchange.onEnd()
    member.callback(faultOf(exchange.abort.signal.reason), undefined as never)
  }

  /** To the only one who asked, as it comes. */
  private pass(answer: Answer): void {
    for (const [exchange, { callback }] of this.members) {
      // From here on it is the body that ends, not the wait for it.
      this.members.delete(exchange)
      answer.body.once('close', () => {
        exchange.onEnd()
      })
      callback(null, answer)
    }
  }

  private async share(answer: Answer): Promise<void> {
    try {
      const bytes = await whole(answer.body)
      for (const [exchange, { callback }] of this.members) {
        this.members.delete(exchange)
        const body = Readable.from(bytes)
        body.once('close', () => {
          exchange.onEnd()
        })
        callback(null, { ...answer, body })
      }
    } catch (error) {
      this.fail(new ClusterFault('cluster-cut', error))
    }
  }

  private fail(error: Error): void {
    for (const [exchange, { callback }] of this.members) {
      this.members.delete(exchange)
      exchange.onEnd()
      callback(error, undefined as never)
    }
  }
}

async function whole(body: Readable): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const nothing = () => undefined
