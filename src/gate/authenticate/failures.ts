/** Counts failed authentication per client address, in a table that no flood can empty. */
import { hash } from 'node:crypto'
import { networkOf } from '../receive/client.js'
import type { Counter, CreateCounter } from '../limit/counter.js'
import { recordOf } from '../request.js'

/**
 * A client with many addresses can flush an LRU. Here a keyed hash spreads addresses over a fixed
 * number of counters: no flood evicts a counter, and no client can choose an address that shares
 * one. An innocent client that shares a counter gets at worst a 429 instead of a 401.
 * @param addressesMax number of counters
 */
export function countFailures(createCounter: CreateCounter, addressesMax: number): Counter {
  // The last one is kept: a flood comes from one address.
  let last = { address: '', slot: '' }
  const slotOf = (address: string, secret: string): string => {
    if (address === last.address) return last.slot
    const hashed = Number.parseInt(hash('sha1', secret + address).slice(0, 8), 16)
    last = { address, slot: String(hashed % addressesMax) }
    return last.slot
  }

  return createCounter({
    name: 'failures',
    key: (request, secret) => slotOf(networkOf(recordOf(request).client), secret),
    limit: (request) => recordOf(request).snapshot.config.limits.failures,
    keysMax: addressesMax,
  })
}
