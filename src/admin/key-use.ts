/** When each key was last used, as far as this process saw. */

export interface LastUse {
  readonly encoder: string
  readonly id: string
  /** RFC 3339, in UTC. */
  readonly lastUsed: string
}

/** What it takes of a request's access line. */
interface UsedKey {
  readonly encoder?: string | undefined
  readonly keyId?: string | undefined
}

/** Grows with the keys of the configuration, never with what strangers present. */
export class KeyUse {
  private readonly encoders = new Map<string, Map<string, number>>()

  observe({ encoder, keyId }: UsedKey): void {
    if (encoder === undefined || keyId === undefined) return
    const keys = this.encoders.get(encoder) ?? new Map<string, number>()
    keys.set(keyId, Date.now())
    this.encoders.set(encoder, keys)
  }

  /** @param has whether there still is such a key: others are forgotten */
  list(has: (encoder: string, id: string) => boolean): readonly LastUse[] {
    const uses: LastUse[] = []
    for (const [encoder, keys] of this.encoders)
      for (const [id, time] of keys)
        if (has(encoder, id)) uses.push({ encoder, id, lastUsed: new Date(time).toISOString() })
        else keys.delete(id)
    return uses
  }
}
