/** A fake IPFS Cluster REST API on a port of its own, which remembers exactly what it received. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { sendError } from './answers.js'
import { type Behaviour, perform, Trickle } from './behaviours.js'
import { route } from './routes.js'
import { Pinset } from './state.js'

export type { Behaviour } from './behaviours.js'
export { Trickle } from './behaviours.js'

export interface FakeClusterOptions {
  readonly port?: number
  /** Basic auth, off by default as in the cluster. */
  readonly username?: string
  readonly password?: string
}

export interface ReceivedRequest {
  readonly method: string
  /** As it stood in the request line. */
  readonly target: string
  readonly headers: IncomingMessage['headers']
  readonly rawHeaders: readonly string[]
  /** Filled in as it arrives. */
  body: Buffer
  /** Every byte of the connection since the request before, up to now. */
  readonly raw: Buffer
  /** Resolves when the client leaves before the answer is complete. */
  readonly aborted: Promise<void>
}

/** Undefined fields fit everything. */
export interface Matcher {
  readonly method?: string
  /** Path without query: the same text, or fitting the pattern. */
  readonly path?: string | RegExp
}

export class FakeCluster extends Pinset {
  readonly requests: ReceivedRequest[] = []
  private readonly arrivals = new EventEmitter()
  private readonly behaviours = new Set<{
    matcher: Matcher
    behaviour: Behaviour
    trickle: Trickle
  }>()
  private readonly received = new WeakMap<Socket, Buffer[]>()
  private readonly credential: string | undefined
  private readonly server = createServer(
    // Go reads 4096 bytes more than max_header_bytes, which is 4096.
    { maxHeaderSize: 8192, keepAliveTimeout: 120_000, requestTimeout: 0 },
    (request, response) => {
      this.onRequest(request, response)
    },
  )

  constructor({ username, password }: FakeClusterOptions) {
    super()
    if (username !== undefined && password !== undefined) {
      this.credential = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    }
    this.server.on('connection', (socket: Socket) => {
      const chunks: Buffer[] = []
      this.received.set(socket, chunks)
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      socket.on('error', () => undefined)
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.1')
    await once(this.server, 'listening')
  }

  /** The next request that arrives after this call. */
  async nextRequest(): Promise<ReceivedRequest> {
    const [request] = (await once(this.arrivals, 'request')) as [ReceivedRequest]
    return request
  }

  /**
   * Makes matching requests end in a behaviour; of several that match the first holds.
   *
   * @returns the hand on a `trickle`
   */
  behave(matcher: Matcher, behaviour: Behaviour): Trickle {
    const trickle = new Trickle()
    this.behaviours.add({ matcher, behaviour, trickle })
    return trickle
  }

  /** Forgets requests and behaviours; the pinset stays. */
  reset(): void {
    this.requests.length = 0
    this.behaviours.clear()
  }

  async close(): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '' } = request
    this.note(request, response)
    if (this.credential !== undefined && request.headers.authorization !== this.credential) {
      response.setHeader('WWW-Authenticate', 'Basic realm="Restricted IPFS Cluster API"')
      sendError(response, 401, 'unauthorized: access denied')
      return
    }
    const work = (): void => {
      route(this, request, response)
    }
    const path = url.split('?', 1)[0] ?? ''
    for (const { matcher, behaviour, trickle } of this.behaviours) {
      if (!fits(matcher, method, path)) continue
      perform(behaviour, trickle, request, response, work)
      return
    }
    work()
  }

  private note(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers, rawHeaders, socket } = request
    const chunks = this.received.get(socket) ?? []
    const received: ReceivedRequest = {
      method,
      target: url,
      headers,
      rawHeaders,
      body: Buffer.alloc(0),
      get raw() {
        return Buffer.concat(chunks)
      },
      aborted: new Promise((resolve) => {
        response.once('close', () => {
          if (!response.writableFinished) resolve()
        })
      }),
    }
    request.on('data', (chunk: Buffer) => {
      received.body = Buffer.concat([received.body, chunk])
    })
    this.requests.push(received)
    this.arrivals.emit('request', received)
  }
}

const fits = ({ method, path }: Matcher, ofMethod: string, ofPath: string): boolean =>
  (method === undefined || method === ofMethod) &&
  (path === undefined || (typeof path === 'string' ? path === ofPath : path.test(ofPath)))

export async function startFakeCluster(options: FakeClusterOptions = {}): Promise<FakeCluster> {
  const cluster = new FakeCluster(options)
  await cluster.listen(options.port ?? 0)
  return cluster
}
