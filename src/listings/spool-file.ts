/** The bytes of one stream on the disk. */
import type { FileHandle } from 'node:fs/promises'
import { Part, takeMemory } from './part.js'
import type { SpoolRoom } from './spool-room.js'

/** Thrown when the files would together be larger than they may. */
export class SpoolFull extends Error {
  override readonly name = 'SpoolFull'

  constructor() {
    super('the spool is full')
  }
}

export class SpoolFile {
  /** Bytes written, from the start without a gap; behind them may be what another one left. */
  size = 0
  private hasFailed = false

  private constructor(
    private readonly room: SpoolRoom,
    private readonly file: FileHandle,
    /** Of the room, at least as many as are written. */
    private taken: number,
  ) {}

  static async create(room: SpoolRoom): Promise<SpoolFile> {
    const { file, bytes } = await room.open()
    return new SpoolFile(room, file, bytes)
  }

  /** @throws SpoolFull, or the error of the disk; what was written before stays readable */
  async append(parts: readonly Buffer[]): Promise<void> {
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    const from = this.size
    const more = Math.max(0, from + bytes - this.taken)
    if (!this.room.take(more)) throw new SpoolFull()
    this.taken += more
    try {
      await this.write(parts, from, bytes)
      this.size = from + bytes
    } catch (error) {
      this.hasFailed = true
      throw error
    }
  }

  private async write(parts: readonly Buffer[], from: number, bytes: number): Promise<void> {
    const { bytesWritten } = await this.file.writev(parts as Buffer[], from)
    if (bytesWritten === bytes) return
    // A disk that is nearly full takes a part of it before it says so.
    const rest = Buffer.concat(parts).subarray(bytesWritten)
    for (let done = 0; done < rest.length;) {
      const { bytesWritten: more } = await this.file.write(
        ...([rest, done, rest.length - done, from + bytesWritten + done] as const),
      )
      done += more
    }
  }

  /** At most `length` bytes, and no more than a part, of those that are written already. */
  async read(position: number, length: number): Promise<Part> {
    const memory = takeMemory()
    const most = Math.min(length, memory.length, this.size - position)
    const { bytesRead } = await this.file.read(memory, 0, most, position)
    if (bytesRead === 0) throw new Error('the spool file is shorter than what was written')
    return new Part(memory.subarray(0, bytesRead), memory)
  }

  /** A disk that failed gets its room back at once. */
  async close(): Promise<void> {
    const lot = { file: this.file, bytes: this.taken }
    await (this.hasFailed ? this.room.throwAway(lot) : this.room.takeBack(lot))
  }
}
