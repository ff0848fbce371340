/** A list without an order: removing an item is cheap, as each knows its position. */

export interface Listed {
  /** Maintained by the list; below 0: the item is in no list. */
  place: number
}

/**
 * Not a Set: of one that everything passes through, the outgrown tables keep what was in them alive
 * until the next full collection. For connections that was measured as a tenth of a short one's
 * time, for exchanges with the cluster as a quarter of what a request costs.
 */
export class UnorderedList<Item extends Listed> implements Iterable<Item> {
  private readonly items: Item[] = []

  get size(): number {
    return this.items.length
  }

  add(item: Item): void {
    item.place = this.items.push(item) - 1
  }

  /** The last item moves into the free position. A second call does nothing. */
  delete(item: Item): void {
    const { place } = item
    if (place < 0) return
    item.place = -1
    const last = this.items.pop()
    if (last === undefined || last === item) return
    this.items[place] = last
    last.place = place
  }

  /** Each item of this moment, also when others are removed meanwhile. */
  *[Symbol.iterator](): Iterator<Item> {
    yield* [...this.items]
  }
}
