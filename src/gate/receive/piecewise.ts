/** Hands what a client sends to the parser piece by piece, so that reading may stop in between. */
import { Socket } from 'node:net'

const headEnd = Buffer.from('\r\n\r\n')
/** A piece ends with a head, or is so large: at most a few dozen requests have begun in it. */
const searchedBytes = 1024

/**
 * Node's server reads past the socket, 64 KiB at once, and goes on with it when a request wants its
 * body: pausing the socket takes effect after thousands of requests, or not at all.
 */
export class PiecewiseReader {
  /** What came and was not handed on; null: the end. */
  private readonly kept: (Buffer | null)[] = []
  private isStopped = false

  constructor(private readonly socket: Socket) {
    socket.push = (chunk: unknown) => this.push(chunk)
    // With a listener from outside, Node's server reads by way of the socket.
    socket.on('data', ignore)
  }

  stop(): void {
    this.isStopped = true
  }

  goOn(): void {
    if (!this.isStopped) return
    this.isStopped = false
    if (this.handOn() && !this.socket.destroyed) this.socket.read(0)
  }

  /** @returns whether more should be read */
  private push(chunk: unknown): boolean {
    if (chunk !== null && !Buffer.isBuffer(chunk)) throw new Error('a socket that decodes')
    // That the client has left is told at once: what it asked is not to go on for nobody.
    if (chunk === null && this.kept.length === 0) return this.emit(null)
    this.kept.push(chunk)
    return this.handOn()
  }

  private handOn(): boolean {
    let isMoreWanted = true
    while (!this.isStopped) {
      const chunk = this.kept.shift()
      if (chunk === undefined) return isMoreWanted
      const size = chunk === null ? 0 : pieceOf(chunk)
      if (chunk === null || size === chunk.length) isMoreWanted = this.emit(chunk)
      else {
        this.kept.unshift(chunk.subarray(size))
        isMoreWanted = this.emit(chunk.subarray(0, size))
      }
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
