/** Phase 2, limit: each encoder has its own budgets; beyond them it gets 429. */
import type { onRequestHookHandler } from 'fastify'
import type { Budget } from '../../settings/values/permissions.js'
import { encodersMax } from '../../settings/schema/names.js'
import { refuse } from '../answer.js'
import type { BudgetUse } from './budget-use.js'
import type { Counter, CreateCounter } from './counter.js'
import { authenticated } from '../request.js'

/**
 * Unknown routes and refused requests count against the same budget. Basic and Bearer share it, as
 * it belongs to the encoder.
 */
export function limit(createCounter: CreateCounter, use: BudgetUse): onRequestHookHandler {
  const counters = {
    reads: counterOf(createCounter, 'reads'),
    listings: counterOf(createCounter, 'listings'),
    writes: counterOf(createCounter, 'writes'),
  } satisfies Record<Budget, Counter>

  return (request, reply, done) => {
    const record = authenticated(request)
    const { encoder, budget } = record
    const { max, windowSeconds } = encoder.limits[budget]
    counters[budget](request)
      .then((counted) => {
        const { isExceeded, remaining, ttlInSeconds } = counted
        const own = use.of(encoder.name)
        own.note(budget, counted)
        // Structured fields of draft-ietf-httpapi-ratelimit-headers-10.
        reply.header('ratelimit-policy', `"${budget}";q=${max};w=${windowSeconds}`)
        reply.header('ratelimit', `"${budget}";r=${remaining};t=${ttlInSeconds}`)
        if (isExceeded) {
          reply.header('retry-after', ttlInSeconds)
          const message = `rate limit exceeded: ${max} ${budget} in ${windowSeconds} s`
          refuse(reply, record, 'rate-limited', message)
        } else if (own.inFlight >= encoder.limits.inFlight) {
          reply.header('retry-after', 1)
          refuse(reply, record, 'too-many-in-flight')
        } else {
          own.inFlight++
          record.onEnd(() => {
            own.inFlight--
          })
          done()
        }
      })
      .catch(done)
  }
}

const counterOf = (createCounter: CreateCounter, budget: Budget): Counter =>
  createCounter({
    name: budget,
    key: (request) => authenticated(request).encoder.name,
    limit: (request) => authenticated(request).encoder.limits[budget],
    keysMax: encodersMax,
  })
