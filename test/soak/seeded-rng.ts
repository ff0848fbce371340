/** A seeded random number generator: the same seed repeats the same choices. */

export class SeededRng {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** Mulberry32: 0 up to but not including 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from 0 up to but not including the bound. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  of<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0]
  }

  isHit(share: number): boolean {
    return this.next() < share
  }

  /** Another sequence, independent of later draws from this one. */
  branch(): SeededRng {
    return new SeededRng(this.below(2 ** 32))
  }
}

/** Draws by weight. */
export function weighted<T>(
  entries: readonly (readonly [weight: number, item: T])[],
): (rng: SeededRng) => T {
  const total = entries.reduce((sum, [weight]) => sum + weight, 0)
  return (rng) => {
    let left = rng.next() * total
    for (const [weight, item] of entries) {
      left -= weight
      if (left < 0) return item
    }
    const [, last] = entries.at(-1) ?? []
    if (last === undefined) throw new Error('nothing to draw from')
    return last
  }
}
