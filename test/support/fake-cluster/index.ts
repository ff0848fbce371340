/** A faithful fake of the IPFS Cluster REST API: oracle of the tests, and the demo's cluster. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Behaviour, Controls, Matcher } from './behaviours.js'
import type { Cluster } from './cluster.js'
import { Connection, type Exchange } from './connection.js'
import { answer } from './layers.js'
import { kuboAddress, kuboId, type Peer, peerId } from './peer.js'
import { type Act, performanceOf } from './perform.js'
import { parseTarget } from './query.js'
import { type ReceivedRequest, Records } from './received.js'
import { type PinFields, PinState, type Status } from './state.js'
import { zeroTime } from './times.js'

export type { Behaviour, Controls, Ending, Matcher, Release, Trickle, Undo } from './behaviours.js'
export { ReceivedRequest } from './received.js'
export { generatedCid, type Pin, type PinFields, PinState, type Status } from './state.js'
export { kuboId, peerId } from './peer.js'

export interface FakeClusterOptions {
  /** 0, the default, is any free one. */
  readonly port?: number
  readonly peername?: string
  readonly version?: string
  readonly kuboAddresses?: readonly string[]
  /** Both: basic authentication is on. */
  readonly username?: string
  readonly password?: string
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Those of another one: peers of one cluster have one pinset. */
  readonly pins?: PinState
  /** Unix socket to listen on instead of a port. */
  readonly socket?: string
}

export async function startFakeCluster(options: FakeClusterOptions = {}): Promise<FakeCluster> {
  const server = createServer({ allowHalfOpen: true })
  if (options.socket === undefined) server.listen(options.port ?? 0, '127.0.0.1')
  else server.listen(options.socket)
  await once(server, 'listening')
  return new FakeCluster(server, options)
}

interface Rule {
  readonly matcher: Matcher
  readonly act: Act
  left: number
}

export class FakeCluster implements Cluster {
  readonly url: string
  /** The state; behaves like a Map by canonical CID. */
  readonly pins: PinState
  /** Kubo does not answer: listings look empty or fail, statuses are `cluster_error`. */
  kuboDown = false
  /** `pinned`: Kubo is done as soon as the answer to a POST is out. */
  statusOfNewPins: Status = 'pinned'
  readonly peer: Peer
  readonly credential: Cluster['credential']
  readonly #records = new Records()
  readonly #connections = new Set<Connection>()
  #rules: Rule[] = []
  #whenIdle: (() => void)[] = []

  constructor(
    private readonly server: Server,
    options: FakeClusterOptions,
  ) {
    const { username = '', password = '', tls } = options
    const socket = options.socket !== undefined
    const host = socket ? 'localhost' : `127.0.0.1:${(server.address() as AddressInfo).port}`
    this.url = `${tls === undefined ? 'http' : 'https'}://${host}`
    this.pins = options.pins ?? new PinState()
    this.credential = username === '' || password === '' ? undefined : { username, password }
    this.peer = {
      id: peerId,
      peername: options.peername ?? '160TB-SuperNode',
      version: options.version ?? '1.1.4',
      kuboId,
      kuboAddresses: options.kuboAddresses ?? [kuboAddress],
    }
    const secureContext = tls && createSecureContext({ ...tls, minVersion: 'TLSv1.2' })
    server.on('connection', (carrier: Socket) => {
      const socket =
        secureContext === undefined
          ? carrier
          : new TLSSocket(carrier, { isServer: true, secureContext })
      this.#open(socket, carrier)
    })
  }

  /** Every request in the order of its arrival, from the end of its head on; malformed ones too. */
  get requests(): readonly ReceivedRequest[] {
    return this.#records.requests
  }

  /** How many there were: of very many requests, the oldest are not kept. */
  get requestCount(): number {
    return this.#records.count
  }

  /** How many of them were reads of one record of the state. */
  get stateReads(): number {
    return this.#records.stateReads
  }

  /** All bytes received, over TLS the decrypted ones, connection by connection. */
  get bytes(): Buffer {
    return this.#records.bytes
  }

  get openConnections(): number {
    return this.#connections.size
  }

  /** The next request to arrive; one that has arrived does not count. */
  nextRequest(): Promise<ReceivedRequest> {
    return this.#records.next()
  }

  /** Resolves when no connection has a request in flight any more. */
  async connectionsClosed(): Promise<void> {
    while ([...this.#connections].some((connection) => connection.busy)) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
    }
  }

  /** Any spelling of a CID; pinned unless a status is given. Returns the canonical spelling. */
  addPin(cid: string, fields: PinFields = {}): string {
    return this.pins.add(cid, fields)
  }

  /** So many pins, made up while they are listed; their CIDs: {@link generatedCid}. */
  addMany(count: number): void {
    this.pins.addMany(count)
  }

  /** What the cluster does every five minutes: unpins what has run out by a time. */
  sweep(now = Date.now()): void {
    for (const cid of this.expired(now)) this.pins.delete(cid)
  }

  /** What a sweep lists. A real one unpins all of it, whatever became of it meanwhile. */
  expired(now = Date.now()): string[] {
    return [...this.pins.values()]
      .filter(({ expireAt }) => expireAt !== zeroTime && Date.parse(expireAt) < now)
      .map(({ cid }) => cid)
  }

  setStatus(cid: string, status: Status, error?: string): void {
    this.pins.setStatus(cid, status, error)
  }

  /** Of the behaviours that fit a request, the first one given counts, so many times. */
  behave<B extends Behaviour>(
    matcher: Matcher,
    behaviour: B,
    times = Infinity,
  ): Controls<B['kind']> {
    const { act, controls } = performanceOf(behaviour)
    const rule: Rule = { matcher, act, left: times }
    this.#rules.push(rule)
    const undo = () => {
      this.#rules = this.#rules.filter((other) => other !== rule)
    }
    return Object.assign(undo, controls) as Controls<B['kind']>
  }

  /** Forgets requests, bytes and behaviours; pins and connections stay. */
  reset(): void {
    this.#records.forget()
    this.#rules = []
  }

  async close(): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    for (const connection of this.#connections) connection.destroy()
    await closed
  }

  #open(socket: Socket, carrier: Socket): void {
    const connection = new Connection({
      socket,
      carrier,
      seen: this.#records.openStream(),
      arrived: (request) => {
        this.#records.add(request)
      },
      answer: (exchange) => this.#answer(exchange),
      changed: () => {
        if (socket.destroyed) this.#connections.delete(connection)
        const waiting = this.#whenIdle
        this.#whenIdle = []
        for (const resolve of waiting) resolve()
      },
    })
    this.#connections.add(connection)
  }

  async #answer(exchange: Exchange): Promise<void> {
    const rule = this.#rules.find(
      ({ matcher, left }) => left > 0 && fits(matcher, exchange.request),
    )
    if (rule !== undefined) {
      rule.left--
      const goesOn = await rule.act(exchange)
      if (goesOn === 'lost') {
        // A small answer is only written when it is finished.
        await answer(this, exchange.request, exchange.reply)
        exchange.end('rst')
      }
      if (goesOn !== true) return
    }
    if (await answer(this, exchange.request, exchange.reply)) await exchange.reply.finish()
    else exchange.end('fin')
  }
}

/** Health checks run in the background, and are rarely what a test means. */
const isCheck = (target: string): boolean => target === '/health' || target === '/version'

function fits({ method, path }: Matcher, request: ReceivedRequest): boolean {
  if (method !== undefined && method !== request.method) return false
  if (path === undefined) return !isCheck(request.target)
  if (path instanceof RegExp) return path.test(request.target)
  return parseTarget(request.target)?.path === path
}
