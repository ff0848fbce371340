/** What has come of a stream so far, for any number of readers, each at a place of its own. */
import type { Part, Piece } from './part.js'
import { SpoolFile } from './spool-file.js'
import type { SpoolRoom } from './spool-room.js'

/** What stays in memory: a small listing whole, of a large one what came last. */
const recentBytes = 1024 * 1024

/** What goes to the disk in one piece; the end of a stream may stay in memory. */
const writtenBytes = recentBytes / 2

/** Beyond it the source waits: for the disk, or where there is none for the slowest reader. */
const memoryBytesMax = 4 * 1024 * 1024

/** One reader's place; it must be left when nobody reads on. */
export interface Place {
  position: number
}

export interface SpoolEvents {
  /** The source may go on, after {@link Spool.append} said that it must wait. */
  readonly onRoom?: () => void
  /** Nobody reads it, and nobody can begin to. */
  readonly onUnread?: () => void
}

/**
 * Small streams stay in memory; of large ones only the end does, and the whole is on the disk.
 * Where the disk takes nothing, what all readers have had is dropped: those who read go on, but
 * nobody can begin any more.
 */
export class Spool {
  /** Bytes that came, the dropped ones among them. */
  size = 0
  /** Whether it is kept whole, so that one more may begin to read. */
  isWhole = true
  private readonly parts: Part[] = []
  /** Where the first of them begins. */
  private memoryStart = 0
  private file: SpoolFile | undefined
  private writing: Promise<void> | undefined
  private end: 'open' | 'ended' | Error = 'open'
  private readonly places = new Set<Place>()
  private waiting: (() => void)[] = []
  private isClosed = false

  constructor(
    private readonly room: SpoolRoom,
    private readonly events: SpoolEvents = {},
  ) {}

  /**
   * @param part the spool's from now on
   * @returns whether the source may go on at once
   */
  append(part: Part): boolean {
    this.parts.push(part)
    this.size += part.length
    if (this.isWhole && this.size > recentBytes && this.unwrittenBytes >= writtenBytes)
      this.writing ??= this.write()
    this.drop()
    this.wake()
    return this.inMemory <= memoryBytesMax
  }

  /** No more will come; with an error it was cut short, and readers learn so. */
  finish(error?: Error): void {
    if (this.end !== 'open') return
    this.end = error ?? 'ended'
    this.wake()
  }

  get readers(): number {
    return this.places.size
  }

  enter(): Place {
    const place = { position: 0 }
    this.places.add(place)
    return place
  }

  /** Once more does nothing; who waits for more is told that there is none for him. */
  leave(place: Place): void {
    if (!this.places.delete(place)) return
    this.wake()
    this.drop()
    this.tellUnread()
    if (this.isClosed && this.places.size === 0) void this.release()
  }

  /**
   * The next bytes of a reader, as soon as there are some; it has to release them.
   *
   * @returns undefined at the end, and for one who has left
   * @throws the error that cut it short, after all that came before
   */
  async next(place: Place): Promise<Piece | undefined> {
    while (place.position >= this.size) {
      if (!this.places.has(place)) return undefined
      if (this.end === 'ended') return undefined
      if (this.end !== 'open') throw this.end
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
    const piece = this.recent(place.position) ?? (await this.written(place.position))
    place.position += piece.bytes.length
    this.drop()
    return piece
  }

  /** Nobody begins any more; what is kept goes with the last reader. */
  close(): void {
    this.isClosed = true
    this.tellUnread()
    if (this.places.size === 0) void this.release()
  }

  private tellUnread(): void {
    const isClosed = !this.isWhole || this.isClosed
    if (isClosed && this.places.size === 0) this.events.onUnread?.()
  }

  private get inMemory(): number {
    return this.size - this.memoryStart
  }

  private get unwrittenBytes(): number {
    return this.size - (this.file?.size ?? 0)
  }

  /** The rest of the part that a position lies in, if it is in memory: shared, never copied. */
  private recent(position: number): Piece | undefined {
    if (position < this.memoryStart) return undefined
    let start = this.size
    // From the end: whoever keeps up is there.
    for (let index = this.parts.length - 1; index >= 0; index--) {
      const part = this.parts[index]
      if (part === undefined) return undefined
      start -= part.length
      if (position < start) continue
      part.hold()
      return {
        bytes: part.bytes.subarray(position - start),
        release: () => {
          part.release()
        },
      }
    }
    return undefined
  }

  private async written(position: number): Promise<Piece> {
    if (this.file === undefined) throw new Error('neither in memory nor in a file')
    return this.file.read(position, this.memoryStart - position)
  }

  private async write(): Promise<void> {
    try {
      this.file ??= await SpoolFile.create(this.room)
      while (this.unwrittenBytes >= writtenBytes) {
        await this.file.append(this.unwritten(this.file.size))
        this.drop()
      }
    } catch (error) {
      this.isWhole = false
      this.room.onTrouble(error)
      this.drop()
      this.tellUnread()
    } finally {
      this.writing = undefined
      if (this.isClosed) this.close()
    }
  }

  private unwritten(from: number): Buffer[] {
    let start = this.memoryStart
    const unwritten: Buffer[] = []
    for (const part of this.parts) {
      if (start >= from) unwritten.push(part.bytes)
      start += part.length
    }
    return unwritten
  }

  /** Forgets of what is in memory what is safe elsewhere, or what everybody had. */
  private drop(): void {
    const wasFull = this.inMemory > memoryBytesMax
    const written = this.file?.size ?? 0
    const safe = this.isWhole ? written : Math.max(written, this.slowest())
    for (;;) {
      const [first] = this.parts
      if (first === undefined || this.memoryStart + first.length > safe) break
      if (this.isWhole && this.inMemory - first.length < recentBytes) break
      this.parts.shift()
      this.memoryStart += first.length
      first.release()
    }
    if (wasFull && this.inMemory <= memoryBytesMax) this.events.onRoom?.()
  }

  private slowest(): number {
    let position = this.size
    for (const place of this.places) position = Math.min(position, place.position)
    return position
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  private async release(): Promise<void> {
    // The writer closes it when it is done.
    if (this.writing !== undefined) return
    const { file } = this
    this.file = undefined
    for (const part of this.parts.splice(0)) part.release()
    await file?.close()
  }
}
