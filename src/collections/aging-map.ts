/**
 * A generational (aging) map: it drops its oldest generation, and is cheap at any size. A Map whose
 * first entry is deleted for each new one gets slow, as every iterator begins with deleted entries.
 */
export class AgingMap<Value> {
  private young = new Map<string, Value>()
  private old = new Map<string, Value>()

  /** @param keptMin keeps at least this many of the entries set last, and at most twice as many */
  constructor(private readonly keptMin: number) {}

  get(key: string): Value | undefined {
    return this.young.get(key) ?? this.old.get(key)
  }

  /** As if what is found were set again. */
  renew(key: string): Value | undefined {
    const young = this.young.get(key)
    if (young !== undefined) return young
    const old = this.old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: Value): void {
    this.young.set(key, value)
    if (this.young.size < this.keptMin) return
    this.old = this.young
    this.young = new Map()
  }

  get isEmpty(): boolean {
    return this.young.size === 0 && this.old.size === 0
  }

  /** Each key once; in no order. */
  *entries(): Generator<readonly [key: string, value: Value]> {
    yield* this.young
    for (const entry of this.old) if (!this.young.has(entry[0])) yield entry
  }
}
