/** Feeds a client's bytes to the parser in pieces, so that reading can stop in between. */
import { Socket } from 'node:net'

const headEnd = Buffer.from('\r\n\r\n')
/** A piece ends with a head, or has at most this size: a few dozen requests. */
const searchedBytes = 1024
/**
 * In one turn of the event loop: a body in chunks of one byte costs 0.1 ms for each 100 bytes, and
 * the answer that refuses it ends the connection only after the turn.
 */
const piecesAtOnce = 4
/** Read-ahead for an encoder, so that the gate notices when it leaves. */
const keptBytesMax = 65_536

/**
 * Node's server bypasses the socket's flow control with reads of 64 KiB, and resumes when a request
 * wants its body: pausing the socket takes effect after thousands of requests, or never.
 */
export class PiecewiseReader {
  /** Received bytes that the parser does not have. */
  private kept: Buffer[] = []
  private keptBytes = 0
  private isStopped = false
  private isReadAhead = false
  /** The rest waits for the next turn of the event loop. */
  private isPausing = false

  constructor(private readonly socket: Socket) {
    socket.push = (chunk: unknown) => this.push(chunk)
    // With a foreign listener, Node's server reads through the socket.
    socket.on('data', ignore)
  }

  /**
   * Stops feeding.
   * @param isReadAhead whether to read some more
   */
  stop(isReadAhead: boolean): void {
    this.isStopped = true
    this.isReadAhead = isReadAhead
  }

  goOn(): void {
    if (!this.isStopped) return
    this.isStopped = false
    this.feedAndRead()
  }

  private feedAndRead(): void {
    // read() would do nothing if pieces bypassed the stream.
    if (this.feed() && !this.socket.destroyed) this.socket._read(0)
  }

  /** @returns whether more should be read */
  private push(chunk: unknown): boolean {
    if (chunk === null) {
      // As with Node's server, a client that closes its side has left.
      this.kept = []
      return this.emit(null)
    }
    if (!Buffer.isBuffer(chunk)) throw new Error('a socket that decodes')
    this.kept.push(chunk)
    this.keptBytes += chunk.length
    return this.feed()
  }

  /** @returns whether more should be read, to parse it or ahead */
  private feed(): boolean {
    return this.handOn() || (this.isReadAhead && this.keptBytes < keptBytesMax)
  }

  /** @returns whether the parser wants more */
  private handOn(): boolean {
    let isMoreWanted = true
    for (let count = 0; !this.isStopped && !this.isPausing; count++) {
      if (count === piecesAtOnce) {
        this.pause()
        break
      }
      const chunk = this.kept.shift()
      if (chunk === undefined) return isMoreWanted
      const size = pieceOf(chunk)
      this.keptBytes -= size
      if (size < chunk.length) this.kept.unshift(chunk.subarray(size))
      isMoreWanted = this.emit(size < chunk.length ? chunk.subarray(0, size) : chunk)
    }
    return false
  }

  private pause(): void {
    this.isPausing = true
    setImmediate(() => {
      this.isPausing = false
      if (!this.isStopped && !this.socket.destroyed) this.feedAndRead()
    })
  }

  /**
   * Bypasses the stream if it would only pass the piece on, which costs a twentieth of a request.
   */
  private emit(piece: Buffer | null): boolean {
    const { socket } = this
    if (piece !== null && socket.readableFlowing === true && socket.readableLength === 0)
      return socket.emit('data', piece)
    return Socket.prototype.push.call(this.socket, piece)
  }
}

function pieceOf(chunk: Buffer): number {
  const searched = chunk.length > searchedBytes ? chunk.subarray(0, searchedBytes) : chunk
  const end = searched.indexOf(headEnd)
  return end < 0 ? Math.min(chunk.length, searchedBytes) : end + headEnd.length
}

const ignore = (): void => undefined
