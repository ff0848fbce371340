/** The bytes of a stream so far, for any number of readers, each with its own cursor. */
import type { Chunk, ChunkView } from './chunk.js'
import { SpoolFile } from './spool-file.js'
import type { SpoolQuota } from './spool-quota.js'

/** Bytes kept in memory: all of a small listing, the end of a large one. */
const recentBytes = 1024 * 1024

/** Bytes per write to the disk; the end of a stream may stay in memory. */
const writtenBytes = recentBytes / 2

/** Beyond this, the upstream reader waits for the disk, or without one for the slowest client. */
const memoryBytesMax = 4 * 1024 * 1024

/**
 * How long fast readers may wait for slower ones in total, if no disk keeps the bytes. Then the
 * spool cuts off the slow ones.
 */
const patienceMs = 5000
const patienceStepMs = 500

/** The error of a cut reader. */
class TooSlow extends Error {
  override readonly name = 'TooSlow'
}

/** One client's cursor; the client must leave it when it stops reading. */
export interface Cursor {
  position: number
  /** Called when the spool cuts this reader because it is too slow. */
  readonly onCut?: (() => void) | undefined
}

export interface SpoolEvents {
  /** The upstream reader may continue, after {@link Spool.append} said that it must wait. */
  readonly onRoom?: () => void
  /** The spool no longer has its start: no other client can begin to read. */
  readonly onPassing?: () => void
}

/**
 * A small stream stays in memory; of a large one only the end does, and the whole is on disk.
 * Without a disk, the spool drops what all readers have read: they continue, but no new reader can
 * begin.
 */
export class Spool {
  /** Bytes received, dropped ones included. */
  size = 0
  /** Whether the spool has the whole stream, so that another reader may begin. */
  isWhole = true
  private readonly chunks: Chunk[] = []
  /** Position of the first chunk in memory. */
  private memoryStart = 0
  private file: SpoolFile | undefined
  private writing: Promise<void> | undefined
  private end: 'open' | 'ended' | Error = 'open'
  private readonly cursors = new Set<Cursor>()
  private patienceLeftMs = patienceMs
  private cancelPatience: (() => void) | undefined
  private readonly slow = new WeakSet<Cursor>()
  private waiting: (() => void)[] = []
  private isClosed = false

  constructor(
    private readonly quota: SpoolQuota,
    private readonly events: SpoolEvents = {},
  ) {}

  /**
   * @param chunk belongs to the spool from now on
   * @returns whether the upstream reader may continue immediately
   */
  append(chunk: Chunk): boolean {
    this.chunks.push(chunk)
    this.size += chunk.length
    if (this.isWhole && this.size > recentBytes && this.unwrittenBytes >= writtenBytes)
      this.writing ??= this.write()
    this.drop()
    this.wake()
    const hasRoom = this.inMemory <= memoryBytesMax
    if (!hasRoom && !this.isWhole) this.watchPace()
    return hasRoom
  }

  /** Runs while the stream waits for the slowest client and another one waits for the stream. */
  private watchPace(): void {
    this.cancelPatience ??= this.quota.setTimer(patienceStepMs, () => {
      this.cancelPatience = undefined
      if (this.isClosed || this.inMemory <= memoryBytesMax) return
      if (this.waiting.length > 0) this.patienceLeftMs -= patienceStepMs
      if (this.patienceLeftMs <= 0) this.cutSlow()
      if (this.inMemory > memoryBytesMax) this.watchPace()
    })
  }

  /** Cuts the readers that are far behind. */
  cutSlow(): void {
    for (const cursor of [...this.cursors]) {
      if (cursor.position >= this.memoryStart + memoryBytesMax / 2) continue
      this.cursors.delete(cursor)
      this.slow.add(cursor)
      cursor.onCut?.()
    }
    this.wake()
    this.drop()
  }

  /** Ends the stream; with an error it was cut short, and readers get the error. */
  finish(error?: Error): void {
    if (this.end !== 'open') return
    this.end = error ?? 'ended'
    this.wake()
  }

  get readers(): number {
    return this.cursors.size
  }

  /** @param onCut see {@link Cursor.onCut} */
  enter(onCut?: () => void): Cursor {
    const cursor = { position: 0, onCut }
    this.cursors.add(cursor)
    return cursor
  }

  /** A second call does nothing; a waiting reader learns of the end. */
  leave(cursor: Cursor): void {
    if (!this.cursors.delete(cursor)) return
    this.wake()
    this.drop()
    if (this.isClosed && this.cursors.size === 0) void this.release()
  }

  /**
   * Resolves with a reader's next bytes, which it has to release.
   * @returns undefined at the end, and after the reader left
   * @throws the error that cut the stream short, after the bytes before it
   */
  async next(cursor: Cursor): Promise<ChunkView | undefined> {
    if (this.slow.has(cursor)) throw new TooSlow('others waited for this reader')
    while (cursor.position >= this.size) {
      if (!this.cursors.has(cursor)) return undefined
      if (this.end === 'ended') return undefined
      if (this.end !== 'open') throw this.end
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
    const chunk = this.recent(cursor.position) ?? (await this.written(cursor.position))
    cursor.position += chunk.bytes.length
    this.drop()
    return chunk
  }

  /** No other reader can begin; the bytes go with the last reader. */
  close(): void {
    this.isClosed = true
    if (this.cursors.size === 0) void this.release()
  }

  private get inMemory(): number {
    return this.size - this.memoryStart
  }

  private get unwrittenBytes(): number {
    return this.size - (this.file?.size ?? 0)
  }

  /** The rest of the chunk that a position lies in, if it is in memory: shared, never copied. */
  private recent(position: number): ChunkView | undefined {
    if (position < this.memoryStart) return undefined
    let start = this.size
    // Searches from the end, where clients that keep up are.
    for (let index = this.chunks.length - 1; index >= 0; index--) {
      const chunk = this.chunks[index]
      if (chunk === undefined) return undefined
      start -= chunk.length
      if (position < start) continue
      chunk.retain()
      return {
        bytes: chunk.bytes.subarray(position - start),
        release: () => {
          chunk.release()
        },
      }
    }
    return undefined
  }

  private async written(position: number): Promise<ChunkView> {
    if (this.file === undefined) throw new Error('neither in memory nor in a file')
    return this.file.read(position, this.memoryStart - position)
  }

  private async write(): Promise<void> {
    try {
      this.file ??= await SpoolFile.create(this.quota)
      while (this.unwrittenBytes >= writtenBytes) {
        await this.file.append(this.unwritten(this.file.size))
        this.drop()
      }
    } catch (error) {
      this.isWhole = false
      this.quota.uncopied++
      this.quota.onError(error)
      this.drop()
      this.events.onPassing?.()
      if (this.inMemory > memoryBytesMax) this.watchPace()
    } finally {
      this.writing = undefined
      if (this.isClosed) this.close()
    }
  }

  private unwritten(from: number): Buffer[] {
    let start = this.memoryStart
    const unwritten: Buffer[] = []
    for (const chunk of this.chunks) {
      if (start >= from) unwritten.push(chunk.bytes)
      start += chunk.length
    }
    return unwritten
  }

  /** Drops chunks from memory that are on the disk, or that every client has read. */
  private drop(): void {
    const wasFull = this.inMemory > memoryBytesMax
    const written = this.file?.size ?? 0
    const safe = this.isWhole ? written : Math.max(written, this.slowest())
    for (;;) {
      const [first] = this.chunks
      if (first === undefined || this.memoryStart + first.length > safe) break
      if (this.isWhole && this.inMemory - first.length < recentBytes) break
      this.chunks.shift()
      this.memoryStart += first.length
      first.release()
    }
    if (wasFull && this.inMemory <= memoryBytesMax) this.events.onRoom?.()
  }

  private slowest(): number {
    let position = this.size
    for (const cursor of this.cursors) position = Math.min(position, cursor.position)
    return position
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }

  private async release(): Promise<void> {
    // The writer closes the file when it has finished.
    if (this.writing !== undefined) return
    const { file } = this
    this.file = undefined
    for (const chunk of this.chunks.splice(0)) chunk.release()
    await file?.close()
  }
}
