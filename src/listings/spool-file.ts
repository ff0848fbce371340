/** One stream's bytes in a file. */
import type { FileHandle } from 'node:fs/promises'
import { Chunk, takeMemory } from './chunk.js'
import type { SpoolQuota } from './spool-quota.js'

/** Thrown when all files together would exceed the quota. */
class SpoolFull extends Error {
  override readonly name = 'SpoolFull'

  constructor() {
    super('the spool is full')
  }
}

export class SpoolFile {
  /** Bytes written, from the start without a gap; beyond them may be bytes of a former stream. */
  size = 0
  private hasFailed = false

  private constructor(
    private readonly quota: SpoolQuota,
    private readonly file: FileHandle,
    /** Bytes of the quota, at least as many as are written. */
    private reserved: number,
  ) {}

  static async create(quota: SpoolQuota): Promise<SpoolFile> {
    const { file, bytes } = await quota.open()
    return new SpoolFile(quota, file, bytes)
  }

  /** @throws SpoolFull, or the error of the disk; what was written before stays readable */
  async append(chunks: readonly Buffer[]): Promise<void> {
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0)
    const from = this.size
    const more = Math.max(0, from + bytes - this.reserved)
    if (!this.quota.reserve(more)) throw new SpoolFull()
    this.reserved += more
    try {
      await this.write(chunks, from, bytes)
      this.size = from + bytes
    } catch (error) {
      this.hasFailed = true
      throw error
    }
  }

  private async write(chunks: readonly Buffer[], from: number, bytes: number): Promise<void> {
    const { bytesWritten } = await this.file.writev(chunks as Buffer[], from)
    if (bytesWritten === bytes) return
    // A nearly full disk writes a part before it fails.
    const rest = Buffer.concat(chunks).subarray(bytesWritten)
    for (let done = 0; done < rest.length;) {
      const { bytesWritten: more } = await this.file.write(
        ...([rest, done, rest.length - done, from + bytesWritten + done] as const),
      )
      done += more
    }
  }

  /** At most `length` bytes, and no more than a chunk, of those that are written already. */
  async read(position: number, length: number): Promise<Chunk> {
    const memory = takeMemory()
    const most = Math.min(length, memory.length, this.size - position)
    const { bytesRead } = await this.file.read(memory, 0, most, position)
    if (bytesRead === 0) throw new Error('the spool file is shorter than what was written')
    return new Chunk(memory.subarray(0, bytesRead), memory)
  }

  /** After a disk error the file leaves the pool and its bytes return to the quota immediately. */
  async close(): Promise<void> {
    const allocation = { file: this.file, bytes: this.reserved }
    await (this.hasFailed ? this.quota.discard(allocation) : this.quota.recycle(allocation))
  }
}
