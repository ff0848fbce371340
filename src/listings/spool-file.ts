/** Bytes on the disk that nobody else can reach and that no crash leaves behind. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Part, takeMemory } from './part.js'

/** Room on the disk that all spool files share. */
export class SpoolRoom {
  private used = 0

  /** @param onTrouble called with what keeps a listing from being spooled */
  constructor(
    readonly directory: string,
    private readonly bytesMax: number,
    readonly onTrouble: (error: unknown) => void = () => undefined,
  ) {}

  /** False when there is no room for so much more. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.bytesMax) return false
    this.used += bytes
    return true
  }

  give(bytes: number): void {
    this.used -= bytes
  }
}

/** Thrown when the files would together be larger than they may. */
export class SpoolFull extends Error {
  override readonly name = 'SpoolFull'

  constructor() {
    super('the spool is full')
  }
}

/**
 * Its name is gone as soon as it is made (unlink(2)): the bytes live as long as the handle. There
 * is nothing to clean up at the next start, and nothing to find for others meanwhile.
 */
export class SpoolFile {
  /** Bytes written, from the start without a gap. */
  size = 0

  private constructor(
    private readonly file: FileHandle,
    private readonly room: SpoolRoom,
  ) {}

  static async create(room: SpoolRoom): Promise<SpoolFile> {
    const path = join(room.directory, `.pinwarden-listing-${randomUUID()}`)
    const file = await open(path, 'wx+', 0o600)
    try {
      await unlink(path)
    } catch (error) {
      await file.close()
      throw error
    }
    return new SpoolFile(file, room)
  }

  /** @throws SpoolFull, or the error of the disk; what was written before stays readable */
  async append(parts: readonly Buffer[]): Promise<void> {
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    if (!this.room.take(bytes)) throw new SpoolFull()
    const from = this.size
    try {
      await this.write(parts, from, bytes)
      this.size = from + bytes
    } catch (error) {
      this.room.give(bytes)
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

  async close(): Promise<void> {
    this.room.give(this.size)
    await this.file.close()
  }
}
