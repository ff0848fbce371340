/** Parts of a listing, in memory that is used again instead of left to the garbage collector. */

/*
 * V8 collects young garbage by the number of objects; these are few and large, and would pile up to
 * its bound for memory outside of its heap, 64 MB (measured: 50 MB for one listing of 200 MB).
 */
export const partBytes = 262_144

/** Kept for the next listing, so much that a few can run without asking the system for memory. */
const freeMax = 24

const free: Buffer[] = []

/** Memory of the length of a part; whatever was in it still is. */
export const takeMemory = (): Buffer => free.pop() ?? Buffer.allocUnsafeSlow(partBytes)

export function giveMemory(memory: Buffer): void {
  if (free.length < freeMax) free.push(memory)
}

/** Bytes, and how many still need them. */
export class Part {
  private holders = 1

  /** @param memory given back when nobody needs the bytes any more; undefined: somebody else's */
  constructor(
    readonly bytes: Buffer,
    private readonly memory?: Buffer,
  ) {}

  get length(): number {
    return this.bytes.length
  }

  hold(): void {
    this.holders++
  }

  /** To be called once for each holder; after the last one the bytes are others. */
  release(): void {
    this.holders--
    if (this.holders === 0 && this.memory !== undefined) giveMemory(this.memory)
  }
}

/** What a reader takes: bytes that stay as they are until it has released them. */
export interface Piece {
  readonly bytes: Buffer
  release(): void
}
