/** Splits a stream of bytes into its lines. */
import { GrowingBytes } from './growing-bytes.js'

const newline = 10

/** The caller decides how long a line may be: see {@link LineSplitter.restBytes}. */
export class LineSplitter {
  private readonly rest = new GrowingBytes()

  /** Bytes of an incomplete line. */
  get restBytes(): number {
    return this.rest.length
  }

  /**
   * The lines that are complete by now, without their ends. Their memory may be the chunk's, and is
   * valid as long as the chunk is. The caller has to read to the end.
   */
  *take(chunk: Buffer): Generator<Buffer> {
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      const line = chunk.subarray(from, end)
      from = end + 1
      yield this.rest.length === 0 ? line : Buffer.concat([this.rest.take(), line])
    }
    // A copy: the chunk's memory may be the socket's.
    if (from < chunk.length) this.rest.append(chunk.subarray(from))
  }

  /** Returns the beginning of that line; the next bytes begin another. */
  takeRest(): Buffer {
    return Buffer.from(this.rest.take())
  }
}
