/** Bytes that come in pieces: however small they are, each byte is copied a few times at most. */
export class GrowingBytes {
  private memory: Buffer = Buffer.alloc(0)
  private size = 0

  get length(): number {
    return this.size
  }

  append(piece: Buffer): void {
    const size = this.size + piece.length
    if (size > this.memory.length) {
      const memory = Buffer.allocUnsafeSlow(Math.max(2 * size, leastBytes))
      this.memory.copy(memory, 0, 0, this.size)
      this.memory = memory
    }
    piece.copy(this.memory, this.size)
    this.size = size
  }

  /** Hands over all so far, valid until the next piece. */
  take(): Buffer {
    const all = this.memory.subarray(0, this.size)
    this.size = 0
    return all
  }
}

const leastBytes = 256
