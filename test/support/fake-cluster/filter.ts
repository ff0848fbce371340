/** The `filter` of `GET /pins`: names of statuses as bits. */
import type { Status } from './state.js'

const bits: Readonly<Record<Status, number>> = {
  cluster_error: 2,
  pin_error: 4,
  unpin_error: 8,
  pinned: 16,
  pinning: 32,
  unpinning: 64,
  unpinned: 128,
  remote: 256,
  pin_queued: 512,
  unpin_queued: 1024,
  sharded: 2048,
  unexpectedly_unpinned: 4096,
}
const named = new Map<string, number>([...Object.entries(bits), ['error', 14], ['queued', 1536]])

/** What the list of operations answers, without walking the pinset. */
const operations = 14 | 1536 | bits.pinning | bits.unpinning | bits.unpinned

export const statusBit = (status: Status): number => bits[status]

/** Unknown names do not count; 0 when none is left. */
export function maskOf(filter: string): number {
  return filter
    .split(',')
    .reduce((mask, name) => mask | (named.get(name.replaceAll(' ', '')) ?? 0), 0)
}

export const inMemory = (mask: number): boolean => mask !== 0 && (mask & ~operations) === 0
