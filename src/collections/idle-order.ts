/** Members by idle time, in all and under each key: evictions follow this order. */

interface Link<Member> {
  readonly member: Member
  before: Link<Member> | undefined
  after: Link<Member> | undefined
}

/** Links rather than a Set, for the reason given in unordered-list.ts. */
class Chain<Member> {
  first: Link<Member> | undefined
  private last: Link<Member> | undefined
  size = 0

  append(link: Link<Member>): void {
    link.before = this.last
    link.after = undefined
    if (this.last === undefined) this.first = link
    else this.last.after = link
    this.last = link
    this.size++
  }

  remove({ before, after }: Link<Member>): void {
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    this.size--
  }
}

/** A member's own links, so that it moves or leaves in one step. */
export interface PlaceInOrder<Member> {
  readonly key: string
  readonly chain: Chain<Member>
  readonly inAll: Link<Member>
  readonly underKey: Link<Member>
}

export class IdleOrder<Member> implements Iterable<Member> {
  private readonly all = new Chain<Member>()
  private readonly byKey = new Map<string, Chain<Member>>()

  get size(): number {
    return this.all.size
  }

  count(key: string): number {
    return this.byKey.get(key)?.size ?? 0
  }

  /** Inserts it as the most recently busy member. */
  add(member: Member, key: string): PlaceInOrder<Member> {
    const link = (): Link<Member> => ({ member, before: undefined, after: undefined })
    let chain = this.byKey.get(key)
    if (chain === undefined) this.byKey.set(key, (chain = new Chain()))
    const place = { key, chain, inAll: link(), underKey: link() }
    this.all.append(place.inAll)
    chain.append(place.underKey)
    return place
  }

  delete({ key, chain, inAll, underKey }: PlaceInOrder<Member>): void {
    this.all.remove(inAll)
    chain.remove(underKey)
    if (chain.size === 0) this.byKey.delete(key)
  }

  /** Marks the member as busy now. */
  touch({ chain, inAll, underKey }: PlaceInOrder<Member>): void {
    // The common case: it was the most recently busy one before, too.
    if (inAll.after !== undefined) {
      this.all.remove(inAll)
      this.all.append(inAll)
    }
    if (underKey.after !== undefined) {
      chain.remove(underKey)
      chain.append(underKey)
    }
  }

  /** The member that has been idle for longest, of all or of one key. */
  longestIdle(key?: string): Member | undefined {
    return (key === undefined ? this.all : this.byKey.get(key))?.first?.member
  }

  /** Under a key: the longest idle first. */
  *of(key: string): Generator<Member> {
    for (let link = this.byKey.get(key)?.first; link !== undefined; link = link.after)
      yield link.member
  }

  /** The key with the most members; walks through all keys. */
  get fullestKey(): string | undefined {
    let [fullest, most]: [string | undefined, number] = [undefined, 0]
    for (const [key, { size }] of this.byKey) if (size > most) [fullest, most] = [key, size]
    return fullest
  }

  *[Symbol.iterator](): Iterator<Member> {
    for (let link = this.all.first; link !== undefined; link = link.after) yield link.member
  }
}
