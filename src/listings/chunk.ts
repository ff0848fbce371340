/** Chunks of a listing, in pooled memory instead of the garbage collector's. */

/*
 * V8 collects young garbage by the number of objects; these are few and large, and would pile up to
 * its bound for memory outside of its heap, 64 MB (measured: 50 MB for one listing of 200 MB).
 */
export const chunkBytes = 262_144

/** Kept for the next listing: enough for a few at once. */
const freeMax = 24

const free: Buffer[] = []

/** Memory of a chunk's length, with its former bytes. */
export const takeMemory = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes)

export function giveMemory(memory: Buffer): void {
  if (free.length < freeMax) free.push(memory)
}

/** Bytes with a count of their holders. */
export class Chunk {
  private holders = 1

  /** @param memory goes back to the pool after the last release; undefined: not pooled */
  constructor(
    readonly bytes: Buffer,
    private readonly memory?: Buffer,
  ) {}

  get length(): number {
    return this.bytes.length
  }

  retain(): void {
    this.holders++
  }

  /** Each holder calls it once; after the last call the memory is reused. */
  release(): void {
    this.holders--
    if (this.holders === 0 && this.memory !== undefined) giveMemory(this.memory)
  }
}

/** A reader's view of a chunk: the bytes stay as they are until the reader releases them. */
export interface ChunkView {
  readonly bytes: Buffer
  release(): void
}
