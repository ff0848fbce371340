/**
 * CIDs that the ledger may have a row of, in memory: most pins are new, and need no look at the
 * disk. A Bloom filter: of 317,506 rows one in 200 others is looked for in vain.
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

  /** All that another one has. */
  addAll(bits: Uint32Array): void {
    for (const [index, word] of bits.entries()) this.bits[index] = (this.bits[index] ?? 0) | word
  }
}

/** The same for a ledger whose rows are in a thread. */
export class KnownRows {
  private readonly cids = new KnownCids()
  private isWhole = false

  /** @param gatherSome of the rows that there are; undefined: there are more */
  constructor(private readonly gatherSome: () => Promise<Uint32Array | undefined>) {}

  mayHave(cid: string): boolean {
    return !this.isWhole || this.cids.mayHave(cid)
  }

  learn(operations: readonly LedgerOperation[]): void {
    for (const operation of operations)
      if (operation.kind === 'row') this.cids.add(operation.row.cid)
  }

  /** The thread makes rows by itself. */
  doubt(): void {
    this.isWhole = false
  }

  /** Until it has ended every row is looked for; so it is when the disk does not answer. */
  async gather(): Promise<void> {
    let bits: Uint32Array | undefined
    try {
      while (bits === undefined) bits = await this.gatherSome()
    } catch {
      return
    }
    this.cids.addAll(bits)
    this.isWhole = true
  }
}

/** FNV-1a, and what its product loses at the other end. */
function placesOf(cid: string): readonly [number, number] {
  let [one, other] = [0x811c9dc5, 0x9747b28c]
  for (let index = 0; index < cid.length; index++) {
    one = Math.imul(one ^ cid.charCodeAt(index), 0x01000193)
    other = Math.imul(other ^ one, 0x85ebca6b) ^ (other >>> 13)
  }
  return [(one ^ (one >>> 15)) & (bitCount - 1), (other ^ (other >>> 16)) & (bitCount - 1)]
}
