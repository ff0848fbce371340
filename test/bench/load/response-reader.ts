/** Finds the ends of HTTP/1.1 answers in what a socket brings, and does nothing else with them. */

export interface Seen {
  readonly status: number
  /** Of the body, without framing. */
  readonly bytes: number
  /** Whether the connection takes another request. */
  readonly isKept: boolean
}

type Part = 'head' | 'body' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer'

export class ResponseReader {
  private part: Part = 'head'
  /** A head, or a line of the framing, that has not come whole. */
  private begun = ''
  private left = 0
  private status = 0
  private bytes = 0
  private isKept = true

  constructor(
    private readonly onEnd: (seen: Seen) => void,
    private readonly onBody?: (piece: Buffer) => void,
  ) {}

  /** Of the answer that is in flight. */
  get bodyBytes(): number {
    return this.bytes
  }

  /** @throws when it is not a readable answer */
  push(input: Buffer): void {
    let at = 0
    while (at < input.length) {
      switch (this.part) {
        case 'head':
          at = this.head(input, at)
          break
        case 'body':
        case 'chunk':
          at = this.data(input, at)
          break
        case 'chunk-size':
        case 'chunk-end':
        case 'trailer':
          at = this.line(input, at)
      }
    }
  }

  private head(input: Buffer, at: number): number {
    const before = this.begun.length
    this.begun += input.toString('latin1', at, Math.min(input.length, at + 4096))
    const end = this.begun.indexOf('\r\n\r\n')
    if (end === -1) return Math.min(input.length, at + 4096)
    const head = this.begun.slice(0, end + 2)
    this.begun = ''
    this.begin(head)
    return at + end + 4 - before
  }

  private begin(head: string): void {
    this.status = Number(head.slice(9, 12))
    this.bytes = 0
    this.isKept = !/\r\nconnection: *close/i.test(head)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length !== undefined) {
      this.left = Number(length)
      this.part = 'body'
      if (this.left === 0) this.end()
    } else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.part = 'chunk-size'
    else if (this.status === 204) this.end()
    else throw new Error(`an answer without an end: ${head}`)
  }

  private data(input: Buffer, at: number): number {
    const take = Math.min(this.left, input.length - at)
    this.bytes += take
    this.left -= take
    this.onBody?.(input.subarray(at, at + take))
    if (this.left === 0) {
      if (this.part === 'chunk') this.part = 'chunk-end'
      else this.end()
    }
    return at + take
  }

  private line(input: Buffer, at: number): number {
    const end = input.indexOf(10, at)
    const stop = end === -1 ? input.length : end + 1
    this.begun += input.toString('latin1', at, stop)
    if (end === -1) return stop
    const line = this.begun
    this.begun = ''
    if (this.part === 'chunk-end') this.part = 'chunk-size'
    else if (this.part === 'trailer') {
      if (line === '\r\n') this.end()
    } else {
      this.left = parseInt(line, 16)
      if (Number.isNaN(this.left)) throw new Error(`no size of a chunk: ${line}`)
      this.part = this.left === 0 ? 'trailer' : 'chunk'
    }
    return stop
  }

  private end(): void {
    this.part = 'head'
    const { status, bytes, isKept } = this
    this.onEnd({ status, bytes, isKept })
  }
}
