/** A set of texts in order, of which pages are read: an array, as a million of them have to fit. */

export class SortedTexts {
  private texts: string[] = []
  private isSorted = true

  get size(): number {
    return this.texts.length
  }

  /** Of many at once, in any order and each only once; sorted when they are first asked for. */
  push(text: string): void {
    this.texts.push(text)
    this.isSorted = false
  }

  /** Once, however often it is added. */
  add(text: string): void {
    const index = this.placeOf(text)
    if (this.texts[index] !== text) this.texts.splice(index, 0, text)
  }

  delete(text: string): void {
    const index = this.placeOf(text)
    if (this.texts[index] === text) this.texts.splice(index, 1)
  }

  /** @param after what the page before ended with; undefined: from the start */
  page(after: string | undefined, count: number): readonly string[] {
    const from = after === undefined ? 0 : this.placeOf(`${after}\0`)
    this.sort()
    return this.texts.slice(from, from + count)
  }

  /** Of the first that is not less. */
  private placeOf(text: string): number {
    this.sort()
    let [low, high] = [0, this.texts.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.texts[middle] ?? '') < text) low = middle + 1
      else high = middle
    }
    return low
  }

  private sort(): void {
    if (!this.isSorted) this.texts.sort()
    this.isSorted = true
  }
}
