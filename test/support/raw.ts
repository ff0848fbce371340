/** Speaks to a port byte by byte: for all that a well-behaved client cannot send. */
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'

export class RawClient {
  /** What came, and room for more: some tests are sent megabytes. */
  private space = Buffer.alloc(4096)
  private size = 0
  readonly closed: Promise<void>

  private constructor(
    readonly socket: Socket,
    keep: boolean,
  ) {
    if (keep) {
      socket.on('data', (chunk: Buffer) => {
        this.append(chunk)
        socket.emit('grown')
      })
    }
    // A reset is one of the ways in which a connection may end.
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        resolve()
      })
    })
  }

  /** @param keep false when the test reads the socket itself */
  static async to(url: string, { keep } = { keep: true }): Promise<RawClient> {
    const { protocol, hostname, port } = new URL(url)
    const options = { host: hostname, port: Number(port) }
    const socket =
      protocol === 'https:'
        ? connectTls({ ...options, rejectUnauthorized: false })
        : connect(options)
    const client = new RawClient(socket, keep)
    await once(socket, protocol === 'https:' ? 'secureConnect' : 'connect')
    return client
  }

  /** Everything that came so far. */
  get text(): string {
    return this.space.toString('latin1', 0, this.size)
  }

  private append(chunk: Buffer): void {
    const size = this.size + chunk.length
    if (size > this.space.length) {
      const space = Buffer.alloc(2 * size)
      this.space.copy(space, 0, 0, this.size)
      this.space = space
    }
    chunk.copy(this.space, this.size)
    this.size = size
  }

  write(text: string | Buffer): this {
    this.socket.write(text)
    return this
  }

  /** Waits until the text fits, or the connection is closed. */
  async until(pattern: RegExp | string): Promise<string> {
    let searched = 0
    const fits = () => {
      if (typeof pattern !== 'string') return pattern.test(this.text)
      const unsearched = this.space.subarray(searched, this.size)
      // A pattern may begin in one chunk and end in the next.
      searched = Math.max(0, this.size - pattern.length + 1)
      return unsearched.includes(pattern, 0, 'latin1')
    }
    while (!fits() && !this.socket.closed) {
      await Promise.race([
        new Promise((resolve) => this.socket.once('grown', resolve)),
        this.closed,
      ])
    }
    return this.text
  }

  /** Waits for the end of the connection and returns all that came. */
  async all(): Promise<string> {
    await this.closed
    return this.text
  }
}

/** The headers of a request; adds the empty line that ends them. */
export const head = (requestLine: string, ...headers: readonly string[]): string =>
  [requestLine, ...headers, '', ''].join('\r\n')

/** Sends bytes on a connection of their own and returns what came until it was closed. */
export async function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const client = await RawClient.to(url)
  return client.write(bytes).all()
}

/** What Node's client made of an answer: trailers and all, or how it broke off. */
export interface Reading {
  readonly response: IncomingMessage
  readonly text: string
  /** Undefined after a clean end. */
  readonly error: Error | undefined
}

/** Asks with Node's own client, which shows trailers and tells a cut answer from a whole one. */
export function read(url: string, headers: OutgoingHttpHeaders = {}): Promise<Reading> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers }, (response) => {
      let text = ''
      const end = (error?: Error) => {
        resolve({ response, text, error })
      }
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('error', end).on('end', end)
    }).on('error', reject)
  })
}

/** Status lines of the answers in a text, in order. */
export const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
