/** When each key was last used at any of the gates: written now and then, read when asked for. */
import type { AccessLine } from '../log/access-line.js'
import { type SetTimer, setTimer as timer } from '../time/clock.js'
import type { Store } from './store.js'

/** How late the others may learn of it. */
const flushMs = 10_000

/** As `encoder/id`, the time in milliseconds since the epoch. */
export type KeyTimes = ReadonlyMap<string, number>

/** Grows with the keys of the configuration. */
export class SharedKeyUses {
  private used = new Map<string, number>()
  private cancel: (() => void) | undefined

  constructor(
    private readonly store: Store,
    private readonly setTimer: SetTimer = timer,
  ) {}

  observe({ encoder, keyId }: Pick<AccessLine, 'encoder' | 'keyId'>): void {
    if (encoder === undefined || keyId === undefined) return
    this.used.set(`${encoder}/${keyId}`, Date.now())
    this.cancel ??= this.setTimer(flushMs, () => void this.flush())
  }

  /** Of all gates, to within seconds; nothing while the store is away. */
  async read(): Promise<KeyTimes> {
    await this.flush()
    const found = await this.store.ask(() => this.store.redis.hgetall(this.key))
    return new Map(Object.entries(found ?? {}).map(([field, ms]) => [field, Number(ms)]))
  }

  async close(): Promise<void> {
    await this.flush()
  }

  private async flush(): Promise<void> {
    this.cancel?.()
    this.cancel = undefined
    const { used } = this
    if (used.size === 0) return
    this.used = new Map()
    const written = await this.store.ask(() => this.store.redis.hset(this.key, used))
    // What was used meanwhile is later; those that wait are written with the next use.
    if (written === undefined) this.used = new Map([...used, ...this.used])
  }

  private get key(): string {
    return this.store.key('key-uses')
  }
}
