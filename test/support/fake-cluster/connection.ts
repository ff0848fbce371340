/** One connection: requests in, one at a time, answers out, and who of the two ended it. */
import type { Socket } from 'node:net'
import { readBody } from './body.js'
import { type Malformed, parseHead, refusalOf } from './head.js'
import { Incoming } from './incoming.js'
import { ReceivedRequest } from './received.js'
import { type Outlet, Reply } from './reply.js'

/** max_header_bytes 4096, and the 4096 that Go adds. */
const headBytesMax = 8192
const idleTimeoutMs = 120_000
/** A connection that ends in a refusal lingers so long, for the peer to read it. */
const lingerMs = 500

/** One request and the way to answer it. */
export interface Exchange extends Outlet {
  readonly request: ReceivedRequest
  readonly reply: Reply
  /** Resolves at the promise's end, or when the peer has gone: then with false. */
  here(until: Promise<unknown>): Promise<boolean>
  /** Ends the connection, after what was written has gone out. */
  end(how: 'fin' | 'rst'): void
}

export interface ConnectionOptions {
  /** What is read and written; over TLS another one than the carrier. */
  readonly socket: Socket
  /** The TCP socket below. */
  readonly carrier: Socket
  readonly seen: (bytes: Buffer) => void
  readonly arrived: (request: ReceivedRequest) => void
  readonly answer: (exchange: Exchange) => Promise<void>
  readonly changed: () => void
}

export class Connection implements Outlet {
  #current: ReceivedRequest | undefined
  #gone = false
  readonly #incoming: Incoming
  readonly #left: Promise<false>
  readonly #socket: Socket

  constructor(private readonly options: ConnectionOptions) {
    const { socket, carrier, seen, changed } = options
    this.#socket = socket
    this.#incoming = new Incoming(socket, seen)
    socket.setNoDelay(true)
    socket.on('timeout', () => socket.destroy())
    // A reset is one of the ways in which a connection may end.
    socket.on('error', () => socket.destroy())
    if (carrier !== socket) carrier.on('error', () => socket.destroy())
    this.#left = new Promise((resolve) => {
      const left = () => {
        this.#gone = true
        this.#current?.peerLeft()
        resolve(false)
      }
      socket.on('end', left).on('close', left).on('close', changed)
    })
    void this.#serve()
  }

  get busy(): boolean {
    return this.#current !== undefined && !this.#socket.destroyed
  }

  async write(bytes: string | Buffer): Promise<boolean> {
    const socket = this.#socket
    if (this.#gone && socket.destroyed) return false
    if (bytes.length === 0 || socket.write(bytes)) return !this.#gone
    await new Promise<void>((resolve) => {
      const done = () => {
        socket.off('drain', done).off('close', done).off('end', done)
        resolve()
      }
      socket.on('drain', done).on('close', done).on('end', done)
    })
    return !this.#gone
  }

  end(how: 'fin' | 'rst'): void {
    this.#current?.isOver()
    if (how === 'fin') this.#socket.destroySoon()
    else this.#socket.write('', () => this.options.carrier.resetAndDestroy())
  }

  destroy(): void {
    this.#current?.isOver()
    this.#socket.destroy()
    this.options.carrier.destroy()
  }

  async #serve(): Promise<void> {
    while (!this.#socket.destroyed && (await this.#serveOne())) this.#set(undefined)
    this.#set(undefined)
    // Only this closes a connection that the peer has left.
    if (this.#gone) this.#socket.destroySoon()
    else
      this.#socket.once('end', () => {
        this.#socket.destroySoon()
      })
  }

  #set(request: ReceivedRequest | undefined): void {
    this.#current = request
    this.options.changed()
  }

  /** False when nothing may follow on this connection. */
  async #serveOne(): Promise<boolean> {
    this.#socket.setTimeout(idleTimeoutMs)
    const bytes = await this.#incoming.through('\r\n\r\n', headBytesMax)
    this.#socket.setTimeout(0)
    if (bytes === undefined) {
      const rest = this.#incoming.take(Infinity)
      if (rest.length >= headBytesMax) this.#refuse({ status: 431, why: 'too large' }, rest)
      else if (rest.length > 0) this.#refuse({ status: 400, why: 'cut off' }, rest)
      else this.#socket.destroySoon()
      return false
    }
    const head = parseHead(bytes)
    if ('why' in head) {
      this.#refuse(head, bytes)
      return false
    }
    const request = new ReceivedRequest(head)
    request.addRaw(bytes)
    this.#set(request)
    this.options.arrived(request)
    // Go asks for such a body only when a handler reads it, and these do not.
    const whole = head.expectsContinue || (await readBody(this.#incoming, head.framing, request))
    request.isComplete()
    if (!whole) {
      request.isOver()
      this.#refuse({ status: 400, why: 'body' }, Buffer.alloc(0))
      return false
    }
    const reply = new Reply(this, request, head.keepAlive && !head.expectsContinue)
    await this.options.answer({
      request,
      reply,
      write: (out) => this.write(out),
      here: (until) => Promise.race([until.then(() => !this.#gone), this.#left]),
      end: (how) => {
        this.end(how)
      },
    })
    if (!reply.finished) return false
    if (!request.isAborted) request.isOver()
    if (!reply.keepAlive) this.#socket.destroySoon()
    return reply.keepAlive
  }

  #refuse(malformed: Malformed, bytes: Buffer): void {
    if (bytes.length > 0) {
      const [, method = '', target = '', version = ''] =
        /^(\S+) (\S+) HTTP\/(\S+)\r\n/.exec(bytes.toString('latin1')) ?? []
      const request = new ReceivedRequest(
        { method, target, version, rawHeaders: [] },
        malformed.why,
      )
      request.addRaw(bytes)
      request.isOver()
      this.options.arrived(request)
    }
    const socket = this.#socket
    socket.end(refusalOf(malformed))
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    socket.once('close', () => {
      clearTimeout(timer)
    })
  }
}
