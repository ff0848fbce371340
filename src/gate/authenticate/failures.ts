/** Counts failed authentication per client address, in a table that no flood can empty. */
import { hash } from 'node:crypto'
import { networkOf } from '../receive/client.js'
import type { Counter, CreateCounter } from '../limit/counter.js'
import { recordOf } from '../request.js'

/**
 * An LRU of addresses can be flushed by asking from many. Here addresses are spread over a fixed
 * number of counters by a hash with a secret of those who share them: no flood can push a counter
 * out, and no client can pick an address that shares one. Sharing costs an innocent client no more
 * than a 429 where it would have read a 401.
 *
 * @param addressesMax number of counters
 */
export function countFailures(createCounter: CreateCounter, addressesMax: number): Counter {
  const slotOf = (address: string, secret: string): number =>
    Number.parseInt(hash('sha1', secret + address).slice(0, 8), 16) % addressesMax

  return createCounter({
    name: 'failures',
    key: (request, secret) => String(slotOf(networkOf(recordOf(request).client), secret)),
    limit: (request) => recordOf(request).snapshot.config.limits.failures,
    keysMax: addressesMax,
  })
}
