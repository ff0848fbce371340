/** When each key was last used at any gate: written every few seconds, read on request. */
import type { AccessLine } from '../log/access-line.js'
import { type SetTimer, setTimer as timer } from '../time/clock.js'
import type { Store } from './store.js'

/** Longest delay before other gates see it. */
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

  /** Uses at all gates, to within seconds; empty while the store is down. */
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
    // A use from meanwhile is newer; the others are written with the next use.
    if (written === undefined) this.used = new Map([...used, ...this.used])
  }

  private get key(): string {
    return this.store.key('key-uses')
  }
}
