/** Counts requests by key in a fixed window, with @fastify/rate-limit. */
import rateLimit, { type CreateRateLimitOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { BudgetLimit } from '../../settings/keyring/encoder.js'
import type { Store } from '../../store/store.js'
import { LocalWindows, sharedWindows } from './windows.js'

type CreateRateLimit = FastifyInstance['createRateLimit']

/** As the plugin gives it: each conversion would cost a promise. */
export type Counted = Exclude<
  Awaited<ReturnType<ReturnType<CreateRateLimit>>>,
  { readonly isAllowed: true }
>

/**
 * Counts the request, and returns the state of its key.
 * @throws StoreFault where the settings say so
 */
export type Counter = (request: FastifyRequest) => Promise<Counted>

export interface Counting {
  /** Prefix of the counter's keys in the store. */
  readonly name: string
  /** @param secret that the gates share, to hash keys that strangers choose */
  readonly key: (request: FastifyRequest, secret: string) => string
  readonly limit: (request: FastifyRequest) => BudgetLimit
  /** With room for every key, none is ever evicted. */
  readonly keysMax: number
}

export type CreateCounter = (counting: Counting) => Counter

/**
 * @param store for shared counters; undefined: in memory
 * @param secret of this process
 */
export async function counters(
  app: FastifyInstance,
  store: Store | undefined,
  secret: string,
): Promise<CreateCounter> {
  // First, and in its own context, as the plugin would reuse an existing decorator.
  const createShared = store && (await sharedLimits(app, store))
  await app.register(rateLimit, { global: false, store: LocalWindows })
  return (counting) => {
    const { name, key, keysMax } = counting
    // `cache` is handed on to the store, but missing in the plugin's types.
    const own: CreateRateLimitOptions & { cache: number } = {
      ...limitsOf(counting),
      keyGenerator: (request) => key(request, secret),
      cache: keysMax,
    }
    // It counts each request, as there is no allow list.
    const count = app.createRateLimit(own) as Counter
    if (store === undefined || createShared === undefined) return count
    const countForAll = createShared({
      ...limitsOf(counting),
      keyGenerator: (request) => `${name}:${key(request, store.secret)}`,
    }) as Counter
    return async (request) =>
      (await store.askForRequest(() => countForAll(request))) ?? (await count(request))
  }
}

/** Not the context itself: it is thenable, and to await it yields the one above. */
async function sharedLimits(app: FastifyInstance, store: Store): Promise<CreateRateLimit> {
  const found: CreateRateLimit[] = []
  await app.register(async (context) => {
    await context.register(rateLimit, { global: false, store: sharedWindows(store) })
    found.push((options) => context.createRateLimit(options))
  })
  const [create] = found
  if (create === undefined) throw new Error('a plugin that is not called')
  return create
}

const limitsOf = ({ limit }: Counting) => ({
  max: (request: FastifyRequest) => limit(request).max,
  timeWindow: (request: FastifyRequest) => limit(request).windowSeconds * 1000,
})
