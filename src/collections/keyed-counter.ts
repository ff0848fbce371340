/** Counts by key; a key whose count is back at 0 takes no memory. */

export class KeyedCounter<Key = string> extends Map<Key, number> {
  /** 0 for an unknown key. */
  of(key: Key): number {
    return this.get(key) ?? 0
  }

  add(key: Key, count = 1): void {
    const sum = this.of(key) + count
    if (sum === 0) this.delete(key)
    else this.set(key, sum)
  }
}
