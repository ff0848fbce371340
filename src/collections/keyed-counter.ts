/** Counts by key: what is counted down to nothing takes no room. */

export class KeyedCounter<Key = string> extends Map<Key, number> {
  /** 0 where nothing was counted. */
  of(key: Key): number {
    return this.get(key) ?? 0
  }

  add(key: Key, count = 1): void {
    const sum = this.of(key) + count
    if (sum === 0) this.delete(key)
    else this.set(key, sum)
  }
}
