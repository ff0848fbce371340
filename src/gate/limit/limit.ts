/** Phase 2, limit: each encoder has its own budgets; beyond them it gets 429. */
import type { onRequestAsyncHookHandler } from 'fastify'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Budget } from '../../settings/values/permissions.js'
import { encodersMax } from '../../settings/schema/names.js'
import type { Encoder } from '../../settings/keyring/encoder.js'
import { refuse } from '../answer.js'
import type { BudgetUse } from './budget-use.js'
import type { Counter, CreateCounter } from './counter.js'
import type { RequestRecord } from '../record/record.js'
import { authenticated } from '../request.js'

/**
 * Unknown routes and refused requests count against the same budget. Basic and Bearer share it, as
 * it belongs to the encoder.
 */
export function limit(createCounter: CreateCounter, use: BudgetUse): onRequestAsyncHookHandler {
  const counters = {
    reads: counterOf(createCounter, 'reads'),
    listings: counterOf(createCounter, 'listings'),
    writes: counterOf(createCounter, 'writes'),
  } satisfies Record<Budget, Counter>
  const inFlight = new InFlight()

  return async (request, reply) => {
    const record = authenticated(request)
    const { encoder, budget } = record
    const { max, windowSeconds } = encoder.limits[budget]
    const counted = await counters[budget](request)
    const { isExceeded, remaining, seconds } = counted
    use.note(encoder.name, budget, counted)

    // Structured fields of draft-ietf-httpapi-ratelimit-headers-10.
    reply.header('ratelimit-policy', `"${budget}";q=${max};w=${windowSeconds}`)
    reply.header('ratelimit', `"${budget}";r=${remaining};t=${seconds}`)
    if (isExceeded) {
      reply.header('retry-after', seconds)
      const message = `rate limit exceeded: ${max} ${budget} in ${windowSeconds} s`
      refuse(reply, record, 'rate-limited', message)
      return reply
    }
    if (!inFlight.enter(encoder, record)) {
      reply.header('retry-after', 1)
      refuse(reply, record, 'too-many-in-flight')
      return reply
    }
    return undefined
  }
}

const counterOf = (createCounter: CreateCounter, budget: Budget): Counter =>
  createCounter({
    name: budget,
    key: (request) => authenticated(request).encoder.name,
    limit: (request) => authenticated(request).encoder.limits[budget],
    keysMax: encodersMax,
  })

/** Requests in flight of each encoder; idle encoders take no memory. */
class InFlight {
  private readonly counts = new KeyedCounter()

  /**
   * False if the encoder has reached its limit of requests in flight; otherwise counted until its
   * end.
   */
  enter(encoder: Encoder, record: RequestRecord): boolean {
    const { name, limits } = encoder
    if (this.counts.of(name) >= limits.inFlight) return false
    this.counts.add(name)
    record.onEnd(() => {
      this.counts.add(name, -1)
    })
    return true
  }
}
