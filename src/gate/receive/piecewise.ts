/** Hands what a client sends to the parser piece by piece, so that reading may stop in between. */
import { Socket } from 'node:net'

const headEnd = Buffer.from('\r\n\r\n')
/** A piece ends with a head, or is so large: at most a few dozen requests have begun in it. */
const searchedBytes = 1024
/** Read ahead of an encoder, so that it is noticed when it leaves. */
const keptBytesMax = 65_536

/**
 * Node's server reads past the socket, 64 KiB at once, and goes on with it when a request wants its
 * body: pausing the socket takes effect after thousands of requests, or not at all.
 */
export class PiecewiseReader {
  /** What came and was not handed on. */
  private kept: Buffer[] = []
  private keptBytes = 0
  private isStopped = false
  private isReadAhead = false

  constructor(private readonly socket: Socket) {
    socket.push = (chunk: unknown) => this.push(chunk)
    // With a listener from outside, Node's server reads by way of the socket.
    socket.on('data', ignore)
  }

  /** Hands on no more. @param isReadAhead whether some more may come in */
  stop(isReadAhead: boolean): void {
    this.isStopped = true
    this.isReadAhead = isReadAhead
  }

  goOn(): void {
    if (!this.isStopped) return
    this.isStopped = false
    if (this.handOn() && !this.socket.destroyed) this.socket.read(0)
  }

  /** @returns whether more should be read */
  private push(chunk: unknown): boolean {
    if (chunk === null) {
      // As for Node's server, a client that ends its side has left.
      this.kept = []
      return this.emit(null)
    }
    if (!Buffer.isBuffer(chunk)) throw new Error('a socket that decodes')
    this.kept.push(chunk)
    this.keptBytes += chunk.length
    return this.handOn() || (this.isReadAhead && this.keptBytes < keptBytesMax)
  }

  private handOn(): boolean {
    let isMoreWanted = true
    while (!this.isStopped) {
      const chunk = this.kept.shift()
      if (chunk === undefined) return isMoreWanted
      const size = pieceOf(chunk)
      this.keptBytes -= size
      if (size < chunk.length) this.kept.unshift(chunk.subarray(size))
      isMoreWanted = this.emit(size < chunk.length ? chunk.subarray(0, size) : chunk)
    }
    return false
  }

  private emit(piece: Buffer | null): boolean {
    return Socket.prototype.push.call(this.socket, piece)
  }
}

function pieceOf(chunk: Buffer): number {
  const end = chunk.subarray(0, searchedBytes).indexOf(headEnd)
  return end < 0 ? Math.min(chunk.length, searchedBytes) : end + headEnd.length
}

const ignore = (): void => undefined
