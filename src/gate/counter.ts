/** Counts requests by key in a fixed window, with @fastify/rate-limit's own counter. */
import type { CreateRateLimitOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { BudgetLimit } from '../settings/encoder.js'

export interface Counted {
  readonly isExceeded: boolean
  readonly remaining: number
  /** Until the window ends. */
  readonly seconds: number
}

/** Counts the request, and says how its key stands. */
export type Counter = (request: FastifyRequest) => Promise<Counted>

export interface Counting {
  readonly key: (request: FastifyRequest) => string
  readonly limit: (request: FastifyRequest) => BudgetLimit
  /** The table is an LRU: with room for every key there is, none is ever evicted. */
  readonly keysMax: number
}

export function createCounter(app: FastifyInstance, { key, limit, keysMax }: Counting): Counter {
  // `cache` is read (store/LocalStore.js) but missing in the plugin's types.
  const options: CreateRateLimitOptions & { cache: number } = {
    max: (request) => limit(request).max,
    timeWindow: (request) => limit(request).windowSeconds * 1000,
    keyGenerator: key,
    cache: keysMax,
  }
  const count = app.createRateLimit(options)
  const result = (counted: Awaited<ReturnType<typeof count>>): Counted => {
    if (counted.isAllowed) throw new Error('counted nothing, though there is no allow list')
    return {
      isExceeded: counted.isExceeded,
      remaining: counted.remaining,
      seconds: counted.ttlInSeconds,
    }
  }
  return (request) => count(request).then(result)
}
