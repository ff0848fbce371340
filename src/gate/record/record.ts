/** The record of one request: its phases fill it, and it ends in one log line. */
import type { Socket } from 'node:net'
import type { Origin } from '../../listings/listings.js'
import type { Exchange } from '../../cluster/exchange.js'
import type { Budget, Permission } from '../../settings/values/permissions.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import type { Snapshot } from '../../settings/snapshot.js'
import type { AccessLine, RequestOutcome } from '../../log/access-line.js'
import type { Plan } from '../plan.js'
import { redact } from '../../log/redact.js'
import { type RefusalReason, refusals, type UpstreamFaultReason } from '../refusals.js'
import { accountFor } from './socket-bytes.js'
import type { Target } from '../target.js'
import { type Trace, traceOf } from './trace.js'

/** What the phases may do with the client's connection. */
export interface ClientConnection {
  /** Called when a request had a valid key of this encoder. */
  authenticated(encoder: string): void
  /**
   * Called when a request had no valid key.
   * @param isOverBudget whether its address has failed too often
   * @returns whether its answer is the last one on the connection
   */
  refused(isOverBudget: boolean): boolean
  /** Makes this request's answer the last one; the gate reads nothing after it. */
  end(): void
}

/** Why a pin goes into the queue. */
export interface Waits {
  readonly reason: UpstreamFaultReason | 'journal-pending'
  readonly cause?: Error | undefined
}

/** Everything a record needs to begin. */
export interface Arrival {
  readonly id: string
  readonly snapshot: Snapshot
  readonly client: string
  readonly method: string
  /** Raw request target, or '-' without one. */
  readonly url: string
  readonly userAgent: string | undefined
  /** The client's own header, unchanged. */
  readonly traceparent?: string | undefined
  readonly socket: Socket | undefined
  /** Undefined: the input never became a request. */
  readonly connection?: ClientConnection
}

const charactersMax = {
  method: 16,
  path: 256,
  userAgent: 128,
  upstreamError: 256,
  streamError: 256,
}

export type AbortReason = 'client-left' | 'client-stalled'

/** Why a request was not simply answered. */
type EndReason = RefusalReason | UpstreamFaultReason | AbortReason | 'internal-error'

export class RequestRecord {
  readonly id: string
  readonly snapshot: Snapshot
  readonly client: string
  readonly method: string
  readonly socket: Socket | undefined
  readonly connection: ClientConnection | undefined
  readonly trace: Trace

  // The results of the phases, in their order.
  target: Target | undefined
  encoder: Encoder | undefined
  keyId: string | undefined
  route: string | undefined
  permission: Permission | undefined
  /** The budget of the encoder that it counts against. */
  budget: Budget = 'reads'
  cid: string | undefined
  plan: Plan | undefined
  exchange:
    Partial<Pick<Exchange, 'upstreamMs' | 'upstreamStatus' | 'trailers' | 'endpoint'>> | undefined
  /** Where its listing came from. */
  listing: Origin | undefined
  streamError: string | undefined
  /** How long the request waited for a terminal state of its pin, in milliseconds. */
  waitedMs: number | undefined
  /** Why enforcement would have refused it. */
  wouldRefuse: RefusalReason | undefined

  /** Whether the response is over: no answer can be sent any more. */
  isClosed = false

  private status: number | undefined
  private outcome: RequestOutcome = 'answered'
  private upstreamError: string | undefined
  private reason: EndReason | undefined
  private readonly startedMs = performance.now()
  private readonly url: string
  private readonly userAgent: string | undefined
  private readonly write: (line: AccessLine) => void
  private bytesIn = 0
  private bytesOut = 0
  private isEnded = false
  /** One for the response itself. */
  private holds = 1
  private readonly closings: (() => void)[] = []
  private readonly endings: (() => void)[] = []

  constructor(arrival: Arrival, write: (line: AccessLine) => void) {
    this.id = arrival.id
    this.snapshot = arrival.snapshot
    this.client = arrival.client
    this.method = arrival.method
    this.socket = arrival.socket
    this.connection = arrival.connection
    this.trace = traceOf(arrival.traceparent, arrival.id)
    this.url = arrival.url
    this.userAgent = arrival.userAgent
    this.write = write
  }

  refuse(reason: RefusalReason): void {
    this.settle('refused', reason, refusals[reason].status)
  }

  /** @param cause the HTTP client's error, for the log only */
  fault(reason: UpstreamFaultReason, status: number, cause?: string): void {
    if (this.reason === undefined) this.upstreamError = cause
    this.settle('fault', reason, status)
  }

  /**
   * The pin is in the queue, now or since before.
   * @param why absent: a read, which the queue answers
   */
  queued(status: number, why?: Waits): void {
    this.upstreamError ??= why?.cause?.message
    this.settle('journaled', why?.reason, status)
  }

  /** The request was a balancer's health check. */
  checked(status: number): void {
    this.settle('checked', undefined, status)
  }

  get isFault(): boolean {
    return this.outcome === 'fault'
  }

  bug(): void {
    this.settle('bug', 'internal-error', 500)
  }

  /** The client left or was cut off; a status that was already sent stays. */
  abort(reason: AbortReason, sentStatus: number | undefined): void {
    this.settle('aborted', reason, sentStatus ?? 499)
  }

  /** The first outcome stands: its consequences, such as a closed socket, change nothing. */
  private settle(outcome: RequestOutcome, reason: EndReason | undefined, status: number): void {
    if (this.reason !== undefined) return
    this.outcome = outcome
    this.reason = reason
    this.status = status
  }

  /** Runs when the response is over, for any reason; at once when it already is. */
  onClose(closing: () => void): void {
    if (this.isClosed) closing()
    else this.closings.push(closing)
  }

  /** Runs when the record has ended: the response is over and no work is left; or at once. */
  onEnd(ending: () => void): void {
    if (this.isEnded) ending()
    else this.endings.push(ending)
  }

  /** Keeps the record open until the returned function is called, for work that continues. */
  hold(): () => void {
    let isHeld = true
    this.holds++
    return () => {
      if (isHeld) this.release()
      isHeld = false
    }
  }

  /** The response is over; ends the record unless something holds it. Later calls do nothing. */
  close(sentStatus: number): void {
    if (this.isClosed) return
    this.isClosed = true
    this.status ??= sentStatus
    this.countBytes()
    for (const closing of this.closings) closing()
    this.release()
  }

  private countBytes(): void {
    if (this.socket === undefined) return
    const { read, written } = accountFor(this.socket)
    this.bytesIn = read
    this.bytesOut = written
  }

  private release(): void {
    if (--this.holds > 0 || this.isEnded) return
    this.isEnded = true
    for (const ending of this.endings) ending()
    this.write(this.line())
  }

  private line(): AccessLine {
    const { encoder, exchange, upstreamError, streamError, userAgent, waitedMs } = this
    const upstreamMs = exchange?.upstreamMs
    return {
      id: this.id,
      traceId: this.trace.id,
      encoder: encoder?.name,
      keyId: this.keyId,
      client: this.client,
      method: this.method.slice(0, charactersMax.method),
      path: redact(pathOf(this.url), charactersMax.path),
      route: this.route,
      permission: this.permission,
      cid: this.cid,
      status: this.status ?? 0,
      outcome: this.outcome,
      reason: this.reason,
      wouldRefuse: this.wouldRefuse,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: round(performance.now() - this.startedMs - (waitedMs ?? 0)),
      waitedMs: waitedMs === undefined ? undefined : round(waitedMs),
      listing: this.listing,
      upstreamMs: upstreamMs === undefined ? undefined : round(upstreamMs),
      upstreamStatus: exchange?.upstreamStatus,
      endpoint: exchange?.endpoint,
      upstreamError: upstreamError && redact(upstreamError, charactersMax.upstreamError),
      streamError: streamError && redact(streamError, charactersMax.streamError),
      userAgent: userAgent && redact(userAgent, charactersMax.userAgent),
    }
  }
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}

const round = (ms: number): number => Math.round(ms * 100) / 100
