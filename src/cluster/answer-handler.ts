/** Receives the cluster's answer to one exchange: a small one whole, others as a stream. */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { AnswerHeaders } from '../http/headers.js'
import type { Listed } from '../collections/unordered-list.js'
import { GrowingBytes } from '../text/growing-bytes.js'
import type { Exchange } from './exchange.js'
import { ClusterFault, faultOf, faultOfAnswer, isInterim } from './faults.js'
import { faultOfWhole, Whole } from './whole.js'

export interface Answer {
  readonly statusCode: number
  readonly headers: AnswerHeaders
  readonly body: Body
}

export type Body = Whole | Readable

export type Callback = (error: Error | null, answer: Answer) => void

/** Bound of a single value; the cluster's longest have some kilobytes. */
const wholeBytesMax = 4 * 1024 * 1024

/** Bound of what a stream holds for a client that is slower than the cluster. */
const streamBytes = 65_536

/** What a handler reports to its endpoint. */
export interface ExchangeEvents {
  /**
   * The exchange has ended, with its error if there was one.
   * @param isOfOne only the contents of this one answer were wrong
   */
  readonly onEnd: (error: Error | undefined, isOfOne?: boolean) => void
  /** An answer began. */
  readonly onHead: (headers: AnswerHeaders) => void
  /** Called first on a fault; true: another endpoint continues the exchange. */
  readonly goElsewhere: GoElsewhere
}

/** @param wasSent whether any part of the request may have been sent */
export type GoElsewhere = (fault: ClusterFault, wasSent: boolean) => boolean

/**
 * Calls back once, and then ends the exchange: a request whose client has left ends with it, and
 * gives up what was not settled.
 */
export class AnswerHandler implements Dispatcher.DispatchHandler, Listed {
  /** Handle in the list of those that wait. */
  place = -1
  private controller: Dispatcher.DispatchController | undefined
  private head: { readonly statusCode: number; readonly headers: AnswerHeaders } | undefined
  /** Of an answer in one piece, the usual one; more go into the next. */
  private first: Buffer | undefined
  private parts: GrowingBytes | undefined
  private stream: AnswerStream | undefined
  private isAnswered = false
  private clock: NodeJS.Timeout
  private readonly startMs = performance.now()

  /** @param path of the request, with its query */
  constructor(
    private readonly exchange: Exchange,
    private readonly path: string,
    timeoutMs: number,
    private readonly callback: Callback,
    private readonly events: ExchangeEvents,
  ) {
    this.clock = setTimeout(() => {
      exchange.cancel(new ClusterFault('cluster-timeout'))
    }, timeoutMs)
    exchange.whenCancelled((reason) => {
      this.fail(reason)
      this.controller?.abort(reason)
    })
  }

  /** Aborts an exchange without an answer so far, so that another endpoint is asked. */
  moveOn(): void {
    if (this.stream !== undefined) return
    const error = new ClusterFault('cluster-hung-up', new Error('the endpoint is down'))
    this.fail(error)
    this.controller?.abort(error)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.isAnswered) controller.abort(new Error('no client waits for the answer'))
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: AnswerHeaders,
  ): void {
    if (this.isAnswered || isInterim(statusCode)) return
    this.exchange.upstreamMs = performance.now() - this.startMs
    this.exchange.upstreamStatus = statusCode
    this.events.onHead(headers)
    const fault = faultOfAnswer(statusCode, headers)
    if (fault !== undefined) {
      this.fail(new ClusterFault(fault))
      controller.abort(new Error('an answer that is not passed on'))
      return
    }
    this.head = { statusCode, headers }
    if (this.exchange.isWhole) {
      // A pipelined read is sent again when another one ended its connection, even inside its
      // answer.
      this.first = undefined
      this.parts = new GrowingBytes()
      return
    }
    clearTimeout(this.clock)
    // A listing has its own limit. Statuses that are streamed are few: they get as long again,
    // also from an endpoint that was asked late.
    if (!this.exchange.isListing)
      this.clock = setTimeout(() => {
        this.exchange.cancel(tooLong())
      }, this.exchange.timeoutMs)
    this.stream = new AnswerStream(controller, (error) => {
      this.end(error)
    })
    this.isAnswered = true
    this.callback(null, { statusCode, headers, body: this.stream })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.parts === undefined) {
      if (this.stream?.push(chunk) === false) controller.pause()
      return
    }
    const { parts, first } = this
    if (first === undefined && parts.length === 0) {
      this.first = chunk
      return
    }
    if (first !== undefined) parts.append(first)
    this.first = undefined
    parts.append(chunk)
    if (parts.length > wholeBytesMax) {
      this.fail(new ClusterFault('cluster-bad-answer', new Error(`over ${wholeBytesMax} bytes`)))
      controller.abort(new Error('an answer that is not passed on'))
    }
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: AnswerHeaders): void {
    this.exchange.trailers = trailers
    this.stream?.push(null)
    const { head, parts } = this
    if (this.isAnswered || head === undefined || parts === undefined) return
    const body = new Whole(this.first ?? parts.take())
    const fault = faultOfWhole(this.path, head.statusCode, body)
    if (fault !== undefined) {
      this.fail(fault, true)
      return
    }
    this.isAnswered = true
    clearTimeout(this.clock)
    this.events.onEnd(undefined)
    this.callback(null, { ...head, body })
    this.exchange.end()
  }

  onResponseError(_controller: unknown, error: Error): void {
    if (this.stream !== undefined) this.stream.destroy(error)
    else
      this.fail(this.head === undefined ? faultOf(error) : new ClusterFault('cluster-cut', error))
  }

  private fail(error: Error, isOfOne = false): void {
    if (this.stream !== undefined) {
      this.stream.destroy(error)
      return
    }
    if (this.isAnswered) return
    this.isAnswered = true
    clearTimeout(this.clock)
    this.exchange.upstreamMs ??= performance.now() - this.startMs
    this.events.onEnd(error, isOfOne)
    const fault = faultOf(error)
    const wasSent = this.controller !== undefined
    if (!this.exchange.isCancelled && this.events.goElsewhere(fault, wasSent)) return
    this.callback(fault, undefined as never)
    this.exchange.end()
  }

  private end(error: Error | undefined): void {
    clearTimeout(this.clock)
    this.events.onEnd(error)
    this.exchange.end()
  }
}

const tooLong = (): ClusterFault =>
  new ClusterFault('cluster-cut', new Error('the answer took too long'))

/** A stream of any length, no faster than its reader. */
class AnswerStream extends Readable {
  constructor(
    private readonly controller: Dispatcher.DispatchController,
    private readonly onEnd: (error: Error | undefined) => void,
  ) {
    super({ highWaterMark: streamBytes })
  }

  override _read(): void {
    this.controller.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.readableEnded) this.controller.abort(error ?? new Error('no client reads the answer'))
    this.onEnd(error ?? undefined)
    callback(error)
  }
}
