/**
 * Rate-limit windows by the monotonic clock. The plugin's own stores use the wall clock: after a
 * step back of an hour, an exhausted budget stayed exhausted for an hour.
 */
import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import { AgingMap } from '../../collections/aging-map.js'
import type { Store } from '../../store/store.js'

type Increment = FastifyRateLimitStore['incr']

interface Window {
  count: number
  /** By the monotonic clock. */
  startMs: number
}

/** In memory. */
export class LocalWindows implements FastifyRateLimitStore {
  private readonly windows: AgingMap<Window>

  /** @param cache keeps at least this many of the keys counted last */
  constructor({ cache = 1 }: { readonly cache?: number } = {}) {
    this.windows = new AgingMap(cache)
  }

  readonly incr: Increment = (key, callback, windowMs) => {
    const nowMs = performance.now()
    let window = this.windows.renew(key)
    if (window === undefined) this.windows.set(key, (window = { count: 0, startMs: nowMs }))
    else if (window.startMs + windowMs <= nowMs) {
      window.count = 0
      window.startMs = nowMs
    }
    window.count++
    callback(null, { current: window.count, ttl: window.startMs + windowMs - nowMs })
  }

  child(options: object): FastifyRateLimitStore {
    return new LocalWindows(options)
  }
}

/**
 * Keys of the store expire by its wall clock. A key that expires later than a window from now is
 * from before that clock was set back.
 */
const script = `
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {count, left}
`

/** In the store, for all gates. */
export function sharedWindows(store: Store): FastifyRateLimitStoreCtor {
  return class SharedWindows implements FastifyRateLimitStore {
    readonly incr: Increment = (key, callback, windowMs) => {
      const counting = store.redis.eval(script, 1, store.key('rate', key), windowMs)
      counting.then(
        (counted) => {
          const [current, ttl] = counted as [number, number]
          callback(null, { current, ttl })
        },
        (error: unknown) => {
          callback(error instanceof Error ? error : new Error(String(error)))
        },
      )
    }

    child(): FastifyRateLimitStore {
      return this
    }
  }
}
