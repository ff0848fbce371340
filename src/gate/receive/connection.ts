/** One connection: handles its requests in order, and decides whether to read more. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { PlaceInOrder } from '../../collections/idle-order.js'
import type { Listed } from '../../collections/unordered-list.js'
import { PiecewiseReader } from '../../http/piecewise.js'
import type { ClientConnection, RequestRecord } from '../record/record.js'

/** A received request, perhaps before its turn. */
export interface Turn {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly begin: () => RequestRecord
  /** Starts the request. */
  readonly run: (record: RequestRecord) => void
  record?: RequestRecord
}

/** What a connection needs from the set of all. */
export interface Surroundings {
  /** Whether reading from unauthenticated connections is paused. */
  readonly isHeld: boolean
  /** Marks it as busy: it moves to the end of the eviction order. */
  touch(connection: Connection): void
  authenticated(connection: Connection, encoder: string): void
  isLastRefusal(connection: Connection, isOverBudget: boolean): boolean
}

/** Most requests that an encoder's connection reads ahead. */
const pipelinedMax = 16

export class Connection implements Listed, ClientConnection {
  place = -1
  /** Its position in the eviction order. */
  order: PlaceInOrder<Connection> | undefined
  handshake: PlaceInOrder<Connection> | undefined
  /** The encoder of its last valid key; undefined: a stranger. */
  encoder: string | undefined
  /** Refused credentials since the last good one. */
  refusals = 0
  private readonly waiting: Turn[] = []
  /** The started request without a complete answer. */
  private open: Turn | undefined
  private latest: Turn | undefined
  /** The last bytes, written after all answers. */
  private lastWords: string | undefined
  /** Undefined during the TLS handshake. */
  private reader: PiecewiseReader | undefined
  private isClosing = false
  private isGone = false

  /**
   * @param socket the accepted one
   * @param network whose share it takes; undefined: a trusted proxy, which is exempt
   */
  constructor(
    public socket: Socket,
    readonly network: string | undefined,
    private readonly surroundings: Surroundings,
  ) {}

  /** The socket with its bytes now: the accepted one, or that of TLS. */
  carriedBy(socket: Socket): void {
    this.socket = socket
    this.reader = new PiecewiseReader(socket)
    // Requests whose turn never came get no event of their own.
    socket.once('close', () => {
      this.gone()
    })
    this.regulate()
  }

  /** The request begins, or waits for those before it. */
  take(turn: Turn): void {
    // Bytes after the end, or after a broken message, are not a request.
    if (this.isClosing) return
    this.latest = turn
    this.waiting.push(turn)
    if (!turn.response.shouldKeepAlive) this.isClosing = true
    this.surroundings.touch(this)
    this.proceed()
  }

  /** Starts the next request in turn. */
  proceed(): void {
    while (this.open === undefined && !this.isHeld) {
      const turn = this.waiting.shift()
      if (turn === undefined) break
      const record = (turn.record = turn.begin())
      this.open = turn
      record.onClose(() => {
        this.open = undefined
        this.surroundings.touch(this)
        this.proceed()
        this.finish()
      })
      turn.run(record)
    }
    this.regulate()
  }

  authenticated(encoder: string): void {
    this.refusals = 0
    if (this.encoder === encoder) return
    this.surroundings.authenticated(this, encoder)
    this.regulate()
  }

  refused(isOverBudget: boolean): boolean {
    this.refusals++
    if (this.surroundings.isLastRefusal(this, isOverBudget)) this.end()
    return this.isClosing
  }

  end(): void {
    this.isClosing = true
    this.waiting.length = 0
    this.regulate()
  }

  get isEnding(): boolean {
    return this.isClosing
  }

  /**
   * The request whose message is still arriving, answered or not: an error on the wire belongs to
   * it. Before its turn it has no record, and loses its turn.
   */
  arriving(): RequestRecord | 'unbegun' | undefined {
    const { latest } = this
    if (latest === undefined || latest.request.complete) return undefined
    if (latest.record !== undefined || this.waiting.at(-1) !== latest) return latest.record
    this.waiting.pop()
    return 'unbegun'
  }

  /** Whether requests on it wait for answers. */
  get isBusy(): boolean {
    return this.open !== undefined || this.waiting.length > 0
  }

  /**
   * Stops reading from the connection. Requests before still get their answers, in order; then it
   * writes the last bytes and closes.
   */
  condemn(lastWords: string | undefined): void {
    this.isClosing = true
    this.lastWords = lastWords
    this.regulate()
    this.finish()
  }

  private finish(): void {
    if (!this.isClosing || this.isBusy) return
    const { socket } = this
    if (this.lastWords !== undefined && socket.writable) socket.end(this.lastWords)
    this.lastWords = undefined
    socket.destroySoon()
  }

  private get isStranger(): boolean {
    return this.encoder === undefined && this.network !== undefined
  }

  private get isHeld(): boolean {
    return this.isStranger && this.surroundings.isHeld
  }

  /** Pauses or resumes reading. A body that is still arriving is read even at the end. */
  private regulate(): void {
    const isOver = this.isClosing && !isArriving(this.latest)
    // An aborted request costs far more than a refused one, so strangers get no read-ahead.
    const isFull = this.isStranger ? this.isBusy : this.waiting.length >= pipelinedMax
    const isStopped = isOver || isFull || this.isHeld
    if (isStopped) this.reader?.stop(!this.isStranger)
    else this.reader?.goOn()
  }

  private gone(): void {
    if (this.isGone) return
    this.isGone = true
    this.isClosing = true
    for (const turn of this.waiting.splice(0)) leave(turn.begin(), turn)
    const { open } = this
    if (open?.record !== undefined) leave(open.record, open)
  }
}

/** A status that was already sent stays. */
function leave(record: RequestRecord, { response }: Turn): void {
  record.abort('client-left', response.headersSent ? response.statusCode : undefined)
  record.close(499)
}

/** Whether part of its body is still to come; for an empty one Node reports it late. */
function isArriving(turn: Turn | undefined): boolean {
  if (turn === undefined || turn.request.complete) return false
  const { 'content-length': length, 'transfer-encoding': coding } = turn.request.headers
  return coding !== undefined || Number(length ?? 0) > 0
}
