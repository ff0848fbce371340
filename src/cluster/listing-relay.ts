/** Retries a listing that fails early at another endpoint. */
import type { Dispatcher } from 'undici'
import type { AnswerHeaders, RequestHeaders } from '../http/headers.js'
import type { Endpoint, ListingEnd } from './endpoint.js'
import { ClusterFault, faultOf, faultOfAnswer, isInterim } from './faults.js'
import type { StreamPool } from './pools.js'

type Handler = Dispatcher.DispatchHandler
type Controller = Dispatcher.DispatchController

export class ListingRelay implements Handler {
  private endpoint: Endpoint | undefined
  private end: ListingEnd = () => undefined
  private hasHead = false
  /** Retried elsewhere: ignores the rest of this one. */
  private isGone = false

  /**
   * @param choose another endpoint; undefined: there is no other
   * @param isRepeated whether it failed early before
   */
  constructor(
    private readonly handler: Handler,
    private readonly path: string,
    private readonly headers: RequestHeaders,
    private readonly of: StreamPool,
    private readonly choose: (not: Endpoint | undefined) => Endpoint | undefined,
    private readonly isRepeated = false,
  ) {}

  start(): void {
    const endpoint = this.choose(undefined)
    if (endpoint === undefined)
      this.handler.onResponseError?.(noController, new ClusterFault('cluster-down'))
    else this.ask(endpoint)
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.handler.onRequestStart?.(controller, context)
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: AnswerHeaders,
    text?: string,
  ): void {
    if (isInterim(status)) return
    const fault = faultOfAnswer(status, headers)
    if (fault !== undefined && this.goesElsewhere(new ClusterFault(fault))) {
      controller.abort(new ClusterFault(fault))
      return
    }
    this.hasHead = true
    this.handler.onResponseStart?.(controller, status, headers, text)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.handler.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: Controller, trailers: AnswerHeaders): void {
    this.end(undefined)
    this.handler.onResponseEnd?.(controller, trailers)
  }

  onResponseError(controller: Controller, error: Error): void {
    if (this.isGone) return
    // Does not retry what the handler itself aborted.
    if (!this.hasHead && 'code' in error && this.goesElsewhere(error)) return
    this.end(error)
    this.handler.onResponseError?.(controller, error)
  }

  /** A request that a closing connection swallowed is sent once more, even to the same endpoint. */
  private goesElsewhere(error: Error): boolean {
    const { endpoint } = this
    if (this.isRepeated || endpoint === undefined) return false
    const isSwallowed = faultOf(error).reason === 'cluster-hung-up' && endpoint.health.isAvailable
    const next = this.choose(endpoint) ?? (isSwallowed ? endpoint : undefined)
    if (next === undefined) return false
    this.isGone = true
    this.end(error)
    new ListingRelay(this.handler, this.path, this.headers, this.of, this.choose, true).ask(next)
    return true
  }

  private ask(endpoint: Endpoint): void {
    this.endpoint = endpoint
    this.end = endpoint.beginListing()
    endpoint.dispatchListing(this.path, this.headers, this, this.of, this.isRepeated)
  }
}

/** No exchange to pause or abort. */
const noController = undefined as never
