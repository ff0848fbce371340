/** One request to the cluster: its time limit, its cancellation, and its outcome. */
import type { AnswerHeaders } from '../http/headers.js'
import { gateItself } from './lane.js'

export interface ExchangeOptions {
  /** The encoder that waits for it; absent: the gate itself. */
  readonly owner?: string
  /** Whether it makes the cluster go through all pins. */
  readonly isListing: boolean
  /** Whether the answer is one JSON value, taken in whole; others are streams of lines. */
  readonly isWhole: boolean
  /** Time limit for a whole answer, or for a stream's head, including the wait for a connection. */
  readonly timeoutMs: number
  /** Called when no part of the exchange is in flight. */
  readonly onEnd: () => void
  /** While it is in flight, requests with the same key share its answer. */
  readonly coalescingKey?: string | undefined
  /** Coalescing keys whose answers this request changes; `all` where unknown. */
  readonly changes?: readonly string[] | 'all' | undefined
}

export class Exchange {
  readonly owner: string
  readonly isListing: boolean
  readonly isWhole: boolean
  readonly timeoutMs: number
  readonly coalescingKey: string | undefined
  readonly changes: readonly string[] | 'all' | undefined
  /** Milliseconds until the head of the answer, once it is there. */
  upstreamMs: number | undefined
  upstreamStatus: number | undefined
  /** The endpoint that was asked last, where the cluster has several. */
  endpoint: string | undefined
  /** Trailer fields by their names in lower case, once the body has ended. */
  trailers: AnswerHeaders | undefined
  private readonly onEnd: () => void
  private isOver = false
  private reason: Error | undefined
  private onCancel: ((reason: Error) => void) | undefined

  constructor(options: ExchangeOptions) {
    const { owner = gateItself, isListing, isWhole, timeoutMs } = options
    const { onEnd, coalescingKey, changes } = options
    this.owner = owner
    this.isListing = isListing
    this.isWhole = isWhole
    this.timeoutMs = timeoutMs
    this.onEnd = onEnd
    this.coalescingKey = coalescingKey
    this.changes = changes
  }

  /** No client wants the answer now. An AbortController would do, at ten times the cost. */
  cancel(reason?: Error): void {
    if (this.isOver || this.reason !== undefined) return
    this.reason = reason ?? new Error('no client waits for the answer')
    this.onCancel?.(this.reason)
  }

  get isCancelled(): boolean {
    return this.reason !== undefined
  }

  /** No part of it is in flight: there is nothing left to cancel. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.onCancel = undefined
    this.onEnd()
  }

  /** Calls back immediately if it was cancelled before; replaces an earlier callback. */
  whenCancelled(onCancel: (reason: Error) => void): void {
    if (this.reason !== undefined) onCancel(this.reason)
    else this.onCancel = onCancel
  }
}
