/** What is known of each connection: its unfinished requests, and whether it is beyond repair. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Listed, UnorderedList } from '../../collections/unordered-list.js'
import type { RequestRecord } from '../record/record.js'

interface OpenSocket extends Listed {
  readonly socket: Socket
}

interface Connection {
  /** Requests without a complete answer. */
  readonly open: Set<RequestRecord>
  /** The request that arrived last: the only one that may still be arriving. */
  latest: { readonly record: RequestRecord; readonly request: IncomingMessage } | undefined
  /** Bytes that will be the last, once everything before them is answered. */
  lastWords: string | undefined
  isDead: boolean
}

/**
 * On the socket rather than in a WeakMap: a WeakMap that has grown old holds its values through
 * V8's minor collections, and every short connection would wait for a major one.
 */
const known = Symbol('connection')

type KnownSocket = Socket & { [known]?: Connection }

export class Connections {
  private readonly sockets = new UnorderedList<OpenSocket>()
  private underWay = 0
  private onIdle: (() => void) | undefined
  private onEmpty: (() => void) | undefined
  private isLast = false

  /** Takes note of a connection as it is accepted, before TLS. */
  accept(socket: Socket): void {
    const open = { socket, place: -1 }
    this.sockets.add(open)
    socket.once('close', () => {
      this.sockets.delete(open)
      if (this.sockets.size === 0) this.onEmpty?.()
    })
  }

  /** Whether a connection ends with its next answer. */
  get isRetiring(): boolean {
    return this.isLast
  }

  /**
   * Lets go of the connections at their clients' pace: a request that is on its way, on one that is
   * kept open, is answered rather than cut.
   *
   * @returns when none is left, or the time is up
   */
  async retire(lingerMs: number): Promise<void> {
    this.isLast = true
    if (this.sockets.size > 0) await untilDone(lingerMs, (done) => (this.onEmpty = done))
  }

  open(socket: Socket, request: IncomingMessage, record: RequestRecord): void {
    const connection = this.of(socket)
    connection.open.add(record)
    connection.latest = { record, request }
    this.underWay++
    record.onClose(() => {
      connection.open.delete(record)
      this.finish(socket, connection)
    })
    record.onEnd(() => {
      this.underWay--
      if (this.underWay === 0) this.onIdle?.()
    })
  }

  /**
   * Waits for the requests under way, then closes every connection: also those that never finished
   * a request, which would hold a closing server until their time limit.
   */
  async drain(deadlineMs: number): Promise<void> {
    if (this.underWay > 0) await untilDone(deadlineMs, (done) => (this.onIdle = done))
    for (const { socket } of this.sockets) {
      if (this.underWay > 0) socket.destroy()
      else socket.destroySoon()
    }
  }

  get requestsUnderWay(): number {
    return this.underWay
  }

  isDead(socket: KnownSocket): boolean {
    return socket[known]?.isDead === true
  }

  /**
   * The request whose message is still arriving, be it answered or not: what is wrong on the wire
   * is wrong with it.
   */
  arriving(socket: Socket): RequestRecord | undefined {
    const latest = this.of(socket).latest
    return latest?.request.complete === false ? latest.record : undefined
  }

  /** Whether requests on it wait for their answer. */
  isBusy(socket: Socket): boolean {
    return this.of(socket).open.size > 0
  }

  /**
   * Nothing more is read from the connection. What was asked before is still answered, in order;
   * then the last words are written and it closes.
   */
  condemn(socket: Socket, lastWords: string | undefined): void {
    const connection = this.of(socket)
    if (connection.isDead) return
    connection.isDead = true
    connection.lastWords = lastWords
    this.finish(socket, connection)
  }

  private finish(socket: Socket, connection: Connection): void {
    if (!connection.isDead || connection.open.size > 0) return
    if (connection.lastWords !== undefined && socket.writable) socket.end(connection.lastWords)
    socket.destroySoon()
  }

  private of(socket: KnownSocket): Connection {
    let connection = socket[known]
    if (connection === undefined) {
      const created: Connection = {
        open: new Set(),
        latest: undefined,
        lastWords: undefined,
        isDead: false,
      }
      connection = socket[known] = created
      // Pipelined requests whose turn never came get no event of their own.
      socket.once('close', () => {
        for (const record of created.open) {
          record.abort('client-left', undefined)
          record.close(499)
        }
      })
    }
    return connection
  }
}

/** Waits until `done` is called, or the time is up. */
function untilDone(ms: number, begin: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(resolve, ms)
    begin(() => {
      clearTimeout(deadline)
      resolve()
    })
  })
}
