/** Takes the bytes of a socket as they are asked for, and tells when no more will come. */
import type { Duplex } from 'node:stream'

/** Over so many untaken bytes the peer has to wait. */
const waitingBytesMax = 1 << 18

export class Incoming {
  #waiting: Buffer = Buffer.alloc(0)
  #ended = false
  #wake = (): void => undefined
  readonly #socket: Duplex

  constructor(socket: Duplex, seen: (bytes: Buffer) => void) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      seen(bytes)
      this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes])
      if (this.#waiting.length > waitingBytesMax) socket.pause()
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', end).on('close', end)
  }

  get waiting(): Buffer {
    return this.#waiting
  }

  /** Waits for more bytes than there are; false when there will be none. */
  async more(): Promise<boolean> {
    const before = this.#waiting.length
    this.#socket.resume()
    while (this.#waiting.length === before && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    return this.#waiting.length > before
  }

  /** At most so many bytes of those that are there. */
  take(bytesMax: number): Buffer {
    const taken = this.#waiting.subarray(0, bytesMax)
    this.#waiting = this.#waiting.subarray(taken.length)
    return taken
  }

  /** All up to and with a mark; undefined when the end or the bound comes first. */
  async through(mark: string, bytesMax: number): Promise<Buffer | undefined> {
    for (;;) {
      const at = this.#waiting.subarray(0, bytesMax).indexOf(mark)
      if (at >= 0) return this.take(at + mark.length)
      if (this.#waiting.length >= bytesMax || !(await this.more())) return undefined
    }
  }

  /** Passes so many bytes on, piece by piece; false when the end comes first. */
  async pass(bytes: number, to: (piece: Buffer) => void): Promise<boolean> {
    let left = bytes
    while (left > 0) {
      if (this.#waiting.length === 0 && !(await this.more())) return false
      const piece = this.take(left)
      left -= piece.length
      to(piece)
    }
    return true
  }
}
