/** When each key was last used, as this process saw it or learned from other gates. */
import type { AccessLine } from '../log/access-line.js'

export interface LastUse {
  readonly encoder: string
  readonly id: string
  /** RFC 3339, in UTC. */
  readonly lastUsed: string
}

/** Overwritten in place: a number in a Map would be a new object for each request. */
interface LastMs {
  ms: number
}

/** Grows with the keys of the configuration, never with what strangers present. */
export class KeyUse {
  private readonly encoders = new Map<string, Map<string, LastMs>>()

  observe({ encoder, keyId }: Pick<AccessLine, 'encoder' | 'keyId'>): void {
    if (encoder === undefined || keyId === undefined) return
    let keys = this.encoders.get(encoder)
    if (keys === undefined) this.encoders.set(encoder, (keys = new Map<string, LastMs>()))
    const use = keys.get(keyId)
    if (use === undefined) keys.set(keyId, { ms: Date.now() })
    else use.ms = Date.now()
  }

  /** Whether the key was used since this process began. */
  isUsed(encoder: string, id: string): boolean {
    return this.encoders.get(encoder)?.has(id) === true
  }

  /**
   * @param has whether the key still exists: others are forgotten
   * @param elsewhere what other gates saw, as `encoder/id`
   */
  list(
    has: (encoder: string, id: string) => boolean,
    elsewhere: ReadonlyMap<string, number> = new Map(),
  ): readonly LastUse[] {
    const times = new Map(elsewhere)
    for (const [encoder, keys] of this.encoders)
      for (const [id, { ms }] of keys) {
        const name = `${encoder}/${id}`
        if (has(encoder, id)) times.set(name, Math.max(ms, times.get(name) ?? 0))
        else keys.delete(id)
      }
    return [...times].flatMap(([name, time]) => {
      const [encoder = '', id = ''] = name.split('/')
      if (!has(encoder, id)) return []
      return [{ encoder, id, lastUsed: new Date(time).toISOString() }]
    })
  }
}
