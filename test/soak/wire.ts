/** A client connection that sees all: whole answers, cut ones, trailers, and who ended it. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  readonly trailers: ReadonlyMap<string, string>
  /** False: the connection ended inside it. */
  readonly isWhole: boolean
}

/** Longer than any limit of the gate: who waits longer has been forgotten. */
const patienceMs = 20_000

export class Wire {
  private bytes: Buffer = Buffer.alloc(0)
  private isOver = false
  private isReset = false
  private answers = 0
  private quietSinceMs = performance.now()
  private quietMs = 0
  private wake: (() => void) | undefined

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk])
      this.wake?.()
    })
    const end = () => {
      this.isOver = true
      this.wake?.()
    }
    // A reset is one of the ways in which a connection may end.
    socket.on('error', () => {
      this.isReset = true
      end()
    })
    socket.on('end', end).on('close', end)
    socket.setTimeout(patienceMs, () => socket.destroy())
  }

  static async open(url: URL, localAddress: string): Promise<Wire> {
    const socket = connect({ host: url.hostname, port: Number(url.port), localAddress })
    socket.setNoDelay(true)
    await once(socket, 'connect')
    return new Wire(socket)
  }

  get isUsable(): boolean {
    return !this.isOver
  }

  /** What there is to say of it when an answer is missing. */
  get story(): string {
    const { answers, quietMs, isReset } = this
    const end = isReset ? 'reset' : 'ended'
    return `${answers} answers before on it, asked ${Math.round(quietMs)} ms later, ${end}`
  }

  send(text: string): void {
    this.quietMs = performance.now() - this.quietSinceMs
    this.socket.write(text)
  }

  /** Does not read from the socket until the promise has settled. */
  async hold(until: Promise<unknown>): Promise<void> {
    this.socket.pause()
    await until
    this.socket.resume()
  }

  /** The next answer; undefined when the connection ended before its head. */
  async answer(onHead?: () => unknown): Promise<Answer | undefined> {
    const head = await this.through('\r\n\r\n')
    if (head === undefined) return undefined
    const [statusLine = '', ...lines] = head.split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
    const headers = fieldsOf(lines)
    await onHead?.()
    const rest = await this.rest(status, headers)
    this.answers++
    this.quietSinceMs = performance.now()
    if (headers.get('connection') === 'close') this.close()
    return { status, headers, ...rest }
  }

  /** An end in good order. */
  close(): void {
    this.isOver = true
    this.socket.destroySoon()
  }

  /** An end without a word: whatever is in flight is lost. */
  leave(how: 'fin' | 'rst'): void {
    this.isOver = true
    if (how === 'rst') this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  private async rest(
    status: number,
    headers: Answer['headers'],
  ): Promise<Pick<Answer, 'body' | 'trailers' | 'isWhole'>> {
    const none = { body: Buffer.alloc(0), trailers: new Map<string, string>() }
    if (status === 204) return { ...none, isWhole: true }
    if (headers.get('transfer-encoding') === 'chunked') return this.chunks()
    const length = headers.get('content-length')
    if (length !== undefined) {
      const body = await this.take(Number(length))
      return { ...none, body: body ?? this.bytes, isWhole: body !== undefined }
    }
    while (!this.isOver) await this.more()
    const body = this.bytes
    this.bytes = Buffer.alloc(0)
    return { ...none, body, isWhole: !this.isReset }
  }

  private async chunks(): Promise<Pick<Answer, 'body' | 'trailers' | 'isWhole'>> {
    const parts: Buffer[] = []
    const cut = () => ({ body: Buffer.concat(parts), trailers: new Map(), isWhole: false })
    for (;;) {
      const size = await this.through('\r\n')
      if (size === undefined) return cut()
      const length = parseInt(size, 16)
      if (length === 0) break
      const part = await this.take(length + 2)
      if (part === undefined) return cut()
      parts.push(part.subarray(0, length))
    }
    const lines: string[] = []
    for (;;) {
      const line = await this.through('\r\n')
      if (line === undefined) return cut()
      if (line === '') break
      lines.push(line)
    }
    return { body: Buffer.concat(parts), trailers: fieldsOf(lines), isWhole: true }
  }

  private async through(mark: string): Promise<string | undefined> {
    for (;;) {
      const at = this.bytes.indexOf(mark)
      if (at >= 0) {
        const text = this.bytes.toString('latin1', 0, at)
        this.bytes = this.bytes.subarray(at + mark.length)
        return text
      }
      if (this.isOver) return undefined
      await this.more()
    }
  }

  private async take(length: number): Promise<Buffer | undefined> {
    while (this.bytes.length < length) {
      if (this.isOver) return undefined
      await this.more()
    }
    const taken = this.bytes.subarray(0, length)
    this.bytes = this.bytes.subarray(length)
    return taken
  }

  private async more(): Promise<void> {
    await new Promise<void>((resolve) => (this.wake = resolve))
    this.wake = undefined
  }
}

function fieldsOf(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    }),
  )
}
