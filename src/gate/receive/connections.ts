/** The limits of connections: who has a place, which one is evicted, and how all of them end. */
import type { Socket } from 'node:net'
import { IdleOrder } from '../../collections/idle-order.js'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { UnorderedList } from '../../collections/unordered-list.js'
import type { Log } from '../../log/log.js'
import { clock } from '../../time/clock.js'
import type { ListenConfig } from '../../settings/schema/schema.js'
import type { RequestRecord } from '../record/record.js'
import { addressOf, networkOf, trustOf } from './client.js'
import { Connection, type Surroundings } from './connection.js'
import { HandshakeBudget } from './handshake-budget.js'

type Bounds = Pick<ListenConfig, 'connectionsMax' | 'connectionsPerAddressMax' | 'trustProxy'>

/** Why the gate closed a connection: to make room, over a rate, or for refused credentials. */
type ConnectionEnd =
  'place-taken' | 'handshake-bound' | 'handshake-rate' | 'over-share' | 'refused-often'

const refusalsMax = 5
/** Share of all places that encoders leave to strangers. */
const reserveShare = 1 / 8
/** Share of all places, and of an address's places, for TLS handshakes. */
const handshakeShare = 1 / 4

/**
 * On the socket rather than in a WeakMap: a WeakMap that has grown old holds its values through
 * V8's minor collections, and every short connection would wait for a major one.
 */
const known = Symbol('connection')

/** A TLS socket knows the one that was accepted. */
type KnownSocket = Socket & { [known]?: Connection; readonly _parent?: KnownSocket | null }

export class Connections implements Surroundings {
  readonly ended: Record<ConnectionEnd, number> = {
    'place-taken': 0,
    'handshake-bound': 0,
    'handshake-rate': 0,
    'over-share': 0,
    'refused-often': 0,
  }
  private readonly all = new UnorderedList<Connection>()
  /** By network. */
  private readonly strangers = new IdleOrder<Connection>()
  private readonly handshakes = new IdleOrder<Connection>()
  /** By encoder. */
  private readonly encoders = new IdleOrder<Connection>()
  /** Connections of each network, both strangers and encoders. */
  private readonly perNetwork = new KeyedCounter()
  private readonly handshakeBudget: HandshakeBudget
  private readonly isTrusted: (address: string) => boolean
  private inFlight = 0
  private onIdle: (() => void) | undefined
  private onEmpty: (() => void) | undefined
  private isLast = false

  /** @param sink of the log: while it is behind, the gate reads nothing from strangers */
  constructor(
    private readonly bounds: Bounds,
    private readonly sink: Log['sink'],
    monotonic = clock.monotonic,
  ) {
    this.handshakeBudget = new HandshakeBudget(bounds.connectionsPerAddressMax, monotonic)
    this.isTrusted = trustOf(bounds.trustProxy)
    sink.onBehind(() => {
      for (const stranger of [...this.strangers]) stranger.proceed()
    })
  }

  get isHeld(): boolean {
    return this.sink.isBehind
  }

  /** Number of connections by kind. */
  get counts(): Readonly<Record<'authenticated' | 'stranger' | 'handshake' | 'proxy', number>> {
    const { all, strangers, handshakes, encoders } = this
    return {
      authenticated: encoders.size,
      stranger: strangers.size - handshakes.size,
      handshake: handshakes.size,
      proxy: all.size - encoders.size - strangers.size,
    }
  }

  /**
   * Gives a place to an accepted connection, before TLS. Unauthenticated ones make room, the
   * longest idle one first.
   * @returns whether there was a place
   */
  accept(socket: KnownSocket, isTls: boolean): boolean {
    const address = addressOf(socket.remoteAddress)
    const network = this.isTrusted(address) ? undefined : networkOf(address)
    const { connectionsMax, connectionsPerAddressMax } = this.bounds
    if (isTls && network !== undefined && !this.handshakeBudget.take(network)) {
      this.ended['handshake-rate']++
      return false
    }
    if (network !== undefined && this.perNetwork.of(network) >= connectionsPerAddressMax) {
      if (!this.makeRoom(this.strangers, 'place-taken', network)) return false
    }
    if (this.all.size >= connectionsMax && !this.makeRoom(this.strangers, 'place-taken'))
      return false
    const connection = new Connection(socket, network, this)
    socket[known] = connection
    this.all.add(connection)
    if (network !== undefined) {
      this.perNetwork.add(network)
      connection.order = this.strangers.add(connection, network)
    }
    socket.once('close', () => {
      this.remove(connection)
    })
    if (isTls && network !== undefined) this.beginHandshake(connection, network)
    return true
  }

  private beginHandshake(connection: Connection, network: string): void {
    const { handshakes } = this
    const { connectionsMax, connectionsPerAddressMax } = this.bounds
    if (handshakes.count(network) >= Math.ceil(connectionsPerAddressMax * handshakeShare))
      this.makeRoom(handshakes, 'handshake-bound', network)
    else if (handshakes.size >= Math.ceil(connectionsMax * handshakeShare))
      this.makeRoom(handshakes, 'handshake-bound')
    connection.handshake = handshakes.add(connection, network)
  }

  /** Called when its TLS handshake is over. */
  secured(socket: KnownSocket): void {
    const connection = this.of(socket)
    this.endHandshake(connection)
    connection.carriedBy(socket)
  }

  private endHandshake(connection: Connection): void {
    if (connection.handshake !== undefined) this.handshakes.delete(connection.handshake)
    connection.handshake = undefined
  }

  private makeRoom(among: IdleOrder<Connection>, end: ConnectionEnd, key?: string): boolean {
    const connection = among.longestIdle(key)
    if (connection === undefined) return false
    this.ended[end]++
    this.remove(connection)
    connection.end()
    connection.socket.destroy()
    return true
  }

  private remove(connection: Connection): void {
    if (connection.place < 0) return
    this.all.delete(connection)
    if (connection.network !== undefined) this.perNetwork.add(connection.network, -1)
    this.endHandshake(connection)
    this.leaveOrder(connection)
    if (this.all.size === 0) this.onEmpty?.()
  }

  private leaveOrder(connection: Connection): void {
    if (connection.order === undefined) return
    const order = connection.encoder === undefined ? this.strangers : this.encoders
    order.delete(connection.order)
    connection.order = undefined
  }

  touch({ order, encoder }: Connection): void {
    if (order !== undefined) (encoder === undefined ? this.strangers : this.encoders).touch(order)
  }

  /**
   * Assigns it to the encoder. Encoders leave some places to newcomers: beyond that, the encoder
   * with the most connections loses its longest idle one.
   */
  authenticated(connection: Connection, encoder: string): void {
    const isPlaced = connection.order !== undefined
    const { network } = connection
    if (network !== undefined && connection.encoder === undefined)
      this.handshakeBudget.giveBack(network)
    this.leaveOrder(connection)
    connection.encoder = encoder
    if (!isPlaced) return
    connection.order = this.encoders.add(connection, encoder)
    const { connectionsMax } = this.bounds
    if (this.encoders.size <= connectionsMax - Math.floor(connectionsMax * reserveShare)) return
    const fullest = this.encoders.fullestKey ?? encoder
    const idle = this.encoders.of(fullest).find((other) => !other.isBusy)
    if (idle === undefined) return
    this.ended['over-share']++
    this.remove(idle)
    idle.condemn(undefined)
  }

  /**
   * Whether this refused credential was the last one on its connection: the fifth in a row, or one
   * from an address that fails too often. A trusted proxy carries many clients.
   */
  isLastRefusal({ refusals, network }: Connection, isOverBudget: boolean): boolean {
    if (network === undefined || (refusals < refusalsMax && !isOverBudget)) return false
    this.ended['refused-often']++
    return true
  }

  /** Whether a connection ends with its next answer. */
  get isRetiring(): boolean {
    return this.isLast
  }

  /** @throws for a connection that was never accepted, which is a bug */
  of(socket: KnownSocket): Connection {
    const connection = this.find(socket)
    if (connection === undefined) throw new Error('a connection that was not accepted')
    return connection
  }

  find(socket: KnownSocket): Connection | undefined {
    return socket[known] ?? socket._parent?.[known]
  }

  /** Counts a request of any connection. */
  opened(record: RequestRecord): void {
    this.inFlight++
    record.onEnd(() => {
      this.inFlight--
      if (this.inFlight === 0) this.onIdle?.()
    })
  }

  get requestsInFlight(): number {
    return this.inFlight
  }

  /**
   * Closes the connections at their clients' pace: a request on its way still gets its answer.
   * @returns when none is left, or the time is up
   */
  async retire(lingerMs: number): Promise<void> {
    this.isLast = true
    if (this.all.size > 0) await untilDone(lingerMs, (done) => (this.onEmpty = done))
  }

  /**
   * Waits for the requests in flight, then closes every connection, also those without a complete
   * request, which would block a closing server until their time limit.
   */
  async drain(deadlineMs: number): Promise<void> {
    if (this.inFlight > 0) await untilDone(deadlineMs, (done) => (this.onIdle = done))
    for (const { socket } of this.all) {
      if (this.inFlight > 0) socket.destroy()
      else socket.destroySoon()
    }
  }
}

/** Waits until `done` is called, or time is up. */
function untilDone(ms: number, begin: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(resolve, ms)
    begin(() => {
      clearTimeout(deadline)
      resolve()
    })
  })
}
