/** Writes an answer as Go's HTTP server does: headers, framing, trailers. */
import { STATUS_CODES } from 'node:http'

/** Bytes on their way to the peer. */
export interface Outlet {
  /** Waits while the peer does not take them; false when it has gone. */
  write(bytes: string | Buffer): Promise<boolean>
}

/** Bodies up to here are sent with a length, when they were not flushed before their end. */
const lengthBytesMax = 2048

export class Reply {
  #status: number | undefined
  #headers: [name: string, value: string][] = []
  #buffered: (string | Buffer)[] = []
  #started = false
  #chunked = false
  #finished = false
  readonly #trailers: [name: string, value: string][] = []

  constructor(
    private readonly outlet: Outlet,
    private readonly request: { readonly method: string; readonly version: string },
    /** Whether the connection lives on; a body that only the close ends says no. */
    public keepAlive: boolean,
  ) {}

  get finished(): boolean {
    return this.#finished
  }

  header(name: string, value: string): this {
    this.#headers.push([name, value])
    return this
  }

  /** What every handler of the cluster says of its answers, also of empty ones. */
  contentType(): this {
    this.#headers = this.#headers.filter(([name]) => name !== 'Content-Type')
    return this.header('Content-Type', 'application/json')
  }

  /** The first status counts, as in Go. */
  status(status: number): this {
    this.#status ??= status
    return this
  }

  body(bytes: string | Buffer): this {
    if (bytes.length > 0) this.#buffered.push(bytes)
    return this
  }

  trailer(name: string, value: string): this {
    this.#trailers.push([name, value])
    return this
  }

  /** Sends what there is at once; the length is then unknown. False when the peer has gone. */
  async flush(): Promise<boolean> {
    const parts: (string | Buffer)[] = []
    if (!this.#started) parts.push(this.#head(undefined))
    const body = this.#take()
    if (body.length > 0 && this.#allowsBody) parts.push(this.#framed(body))
    return this.outlet.write(joined(parts))
  }

  async finish(): Promise<boolean> {
    this.#finished = true
    const body = this.#take()
    const parts: (string | Buffer)[] = []
    if (!this.#started) parts.push(this.#head(Buffer.byteLength(body)))
    if (body.length > 0 && this.#allowsBody) parts.push(this.#framed(body))
    if (this.#chunked) parts.push('0\r\n', ...this.#trailers.map(line), '\r\n')
    return this.outlet.write(joined(parts))
  }

  /** The whole answer was written elsewhere; the connection may continue. */
  sentElsewhere(): void {
    this.#finished = true
  }

  get #allowsBody(): boolean {
    return this.request.method !== 'HEAD' && this.#status !== 204 && this.#status !== 304
  }

  #take(): string | Buffer {
    const buffered = this.#buffered
    this.#buffered = []
    return joined(buffered)
  }

  /** Go sorts the handler's headers and puts its own behind them. */
  #head(bodyBytes: number | undefined): string {
    this.#started = true
    const status = this.#status ?? 200
    const { method, version: spoken } = this.request
    const version = spoken === '1.0' ? '1.0' : '1.1'
    const headers = this.#headers.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    // Go gives no length where a trailer may follow.
    const says = (wanted: string) => headers.some(([name]) => name === wanted)
    const announced = says('Trailer')
    const connection: [string, string][] = []
    const length: [string, string][] = []
    const encoding: [string, string][] = []
    if (this.#allowsBody) {
      if (bodyBytes !== undefined && bodyBytes <= lengthBytesMax && !announced) {
        if (!says('Content-Length')) length.push(['Content-Length', String(bodyBytes)])
      } else if (version === '1.0') {
        this.keepAlive = false
      } else {
        this.#chunked = true
        encoding.push(['Transfer-Encoding', 'chunked'])
      }
    }
    if (method === 'HEAD' && (bodyBytes ?? 0) > 0) {
      length.push(['Content-Length', String(bodyBytes)])
    }
    if (version === '1.0') {
      if (this.keepAlive) connection.push(['Connection', 'keep-alive'])
    } else if (!this.keepAlive && !says('Connection')) connection.push(['Connection', 'close'])
    return [
      `HTTP/${version} ${status} ${STATUS_CODES[status] ?? `status code ${status}`}\r\n`,
      ...headers.map(line),
      line(['Date', new Date(Date.now()).toUTCString()]),
      ...[...length, ...connection, ...encoding].map(line),
      '\r\n',
    ].join('')
  }

  #framed(body: string | Buffer): string | Buffer {
    if (!this.#chunked) return body
    return joined([`${Buffer.byteLength(body).toString(16)}\r\n`, body, '\r\n'])
  }
}

const line = ([name, value]: readonly [string, string]): string => `${name}: ${value}\r\n`

/** Text stays text: one piece of bytes in it makes all of it bytes. */
function joined(parts: readonly (string | Buffer)[]): string | Buffer {
  if (parts.every((part) => typeof part === 'string')) return parts.join('')
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}
