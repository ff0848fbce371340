/** Counts failed authentication per client address, in a table that no flood can empty. */
import { hash, randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { networkOf } from './client.js'
import { type Counter, createCounter } from './counter.js'
import { recordOf } from './request.js'

/**
 * An LRU of addresses can be flushed by asking from many. Here addresses are spread over a fixed
 * number of counters by a hash with a secret of this process: nobody can push a counter out, and
 * nobody can pick an address that shares one. Sharing costs an innocent client no more than a 429
 * where it would have read a 401.
 *
 * @param addressesMax number of counters
 */
export function countFailures(app: FastifyInstance, addressesMax: number): Counter {
  const secret = randomBytes(16).toString('hex')
  const slotOf = (address: string): number =>
    Number.parseInt(hash('sha1', secret + address).slice(0, 8), 16) % addressesMax

  return createCounter(app, {
    key: (request) => String(slotOf(networkOf(recordOf(request).client))),
    limit: (request) => recordOf(request).snapshot.config.limits.failures,
    keysMax: addressesMax,
  })
}
