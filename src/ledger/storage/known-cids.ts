/**
 * The CIDs that may have a row, in memory: most pins are new, and this saves a read from the disk.
 * A Bloom filter: with 317,506 rows, one in 200 new CIDs causes a needless read.
 */

import type { LedgerOperation } from './ledger-storage.js'

/** 8 million: a megabyte. */
const bitCount = 2 ** 23

export class KnownCids {
  readonly bits = new Uint32Array(bitCount / 32)

  add(cid: string): void {
    for (const at of placesOf(cid)) this.bits[at >>> 5] = (this.bits[at >>> 5] ?? 0) | (1 << at)
  }

  /** False: it was never added. */
  mayHave(cid: string): boolean {
    return placesOf(cid).every((at) => ((this.bits[at >>> 5] ?? 0) & (1 << at)) !== 0)
  }

  /** Adds all CIDs of another filter. */
  addAll(bits: Uint32Array): void {
    // At each start: an iterator would make a pair of each of its words.
    for (let at = 0; at < bits.length; at++) this.bits[at] = (this.bits[at] ?? 0) | (bits[at] ?? 0)
  }
}

/** The filter of a ledger whose rows are in another thread. */
export class KnownRows {
  private readonly cids = new KnownCids()
  private isWhole = false
  private isReported = false

  constructor(
    private readonly parts: {
      /** Gathers some of the rows; undefined: there are more. */
      readonly gatherSome: () => Promise<Uint32Array | undefined>
      /** Counts the rows that are reported as missing. */
      readonly reported: () => Promise<number>
    },
  ) {}

  /** False: no row is reported as missing. */
  get mayBeReported(): boolean {
    return !this.isWhole || this.isReported
  }

  mayHave(cid: string): boolean {
    return !this.isWhole || this.cids.mayHave(cid)
  }

  learn(operations: readonly LedgerOperation[]): void {
    for (const operation of operations)
      if (operation.kind === 'row') {
        this.cids.add(operation.row.cid)
        this.isReported ||= operation.row.report === 'missing'
      }
  }

  /** The thread adds rows by itself. */
  doubt(): void {
    this.isWhole = false
  }

  /** Until it ends, or while the disk hangs, the ledger reads the disk for every CID. */
  async gather(): Promise<void> {
    let bits: Uint32Array | undefined
    try {
      while (bits === undefined) bits = await this.parts.gatherSome()
      this.isReported ||= (await this.parts.reported()) > 0
    } catch {
      return
    }
    this.cids.addAll(bits)
    this.isWhole = true
  }
}

/** Two places: FNV-1a with its high bits folded in, and a second hash of its steps. */
function placesOf(cid: string): readonly [number, number] {
  let [one, other] = [0x811c9dc5, 0x9747b28c]
  for (let index = 0; index < cid.length; index++) {
    one = Math.imul(one ^ cid.charCodeAt(index), 0x01000193)
    other = Math.imul(other ^ one, 0x85ebca6b) ^ (other >>> 13)
  }
  return [(one ^ (one >>> 15)) & (bitCount - 1), (other ^ (other >>> 16)) & (bitCount - 1)]
}
