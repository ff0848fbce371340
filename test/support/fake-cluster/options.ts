/** Reads pin options from a query, in the cluster's order: what stands before a fault counts. */
import { decodeCid } from './cids.js'
import { checkOrigin } from './multiaddrs.js'
import { isPeerId } from './peer-ids.js'
import type { Query } from './query.js'
import { afterMs, parseDuration, parseTime, zeroTime } from './times.js'

export type Mode = 'recursive' | 'direct'

export interface PinOptions {
  name: string
  mode: Mode
  replicationMin: number
  replicationMax: number
  shardSize: bigint
  userAllocations: string[] | null
  expireAt: string
  metadata: Map<string, string> | null
  pinUpdate: string | null
  origins: string[] | null
  /** The cluster cannot store what is not UTF-8. */
  storable: boolean
}

export interface ParsedOptions {
  /** What was read before the fault, or everything. */
  readonly options: PinOptions
  /** The message of the 400 that does not stop the operation. */
  readonly fault?: string
}

export const noOptions = (): PinOptions => ({
  name: '',
  mode: 'recursive',
  replicationMin: 0,
  replicationMax: 0,
  shardSize: 0n,
  userAllocations: null,
  expireAt: zeroTime,
  metadata: null,
  pinUpdate: null,
  origins: null,
  storable: true,
})

export function parseOptions(query: Query): ParsedOptions {
  const options = noOptions()
  try {
    for (const step of steps) step(options, query)
    return { options }
  } catch (error) {
    return { options, fault: messageOf(error) }
  }
}

type Step = (options: PinOptions, query: Query) => void

const steps: readonly Step[] = [
  nameAndMode,
  replication,
  shardSize,
  userAllocations,
  expiry,
  metadata,
  pinUpdate,
  origins,
]

function nameAndMode(options: PinOptions, query: Query): void {
  options.name = query.get('name')
  options.storable = query.isUtf8('name')
  options.mode = query.get('mode') === 'direct' ? 'direct' : 'recursive'
}

function replication(options: PinOptions, query: Query): void {
  const both = query.get('replication')
  const read = (name: string): number => {
    const text = both === '' ? query.get(name) : both
    if (text === '') return 0
    if (!/^[+-]?\d{1,18}$/.test(text)) throw new Error(`parameter ${name} invalid`)
    return Number(text)
  }
  options.replicationMin = read('replication-min')
  options.replicationMax = read('replication-max')
}

function shardSize(options: PinOptions, query: Query): void {
  const text = query.get('shard-size')
  if (text === '') return
  if (!/^\d+$/.test(text) || BigInt(text) >= 1n << 64n) {
    throw new Error('parameter shard_size is invalid')
  }
  options.shardSize = BigInt(text)
}

function userAllocations(options: PinOptions, query: Query): void {
  const text = query.get('user-allocations')
  if (text !== '') options.userAllocations = text.split(',').filter(isPeerId)
}

function expiry(options: PinOptions, query: Query): void {
  const at = query.get('expire-at')
  const within = query.get('expire-in')
  if (at !== '') {
    options.expireAt = explained('expire-at cannot be parsed', () => parseTime(at))
  } else if (within !== '') {
    const ms = explained('expire-in cannot be parsed', () => parseDuration(within))
    if (ms < 1000) throw new Error('expire-in duration too short')
    options.expireAt = afterMs(ms)
  }
}

function metadata(options: PinOptions, query: Query): void {
  options.metadata = new Map()
  for (const name of query.names()) {
    if (!name.startsWith('meta-') || name === 'meta-') continue
    options.metadata.set(name.slice('meta-'.length), query.get(name))
    options.storable &&= query.isUtf8(name)
  }
}

function pinUpdate(options: PinOptions, query: Query): void {
  const text = query.get('pin-update')
  if (text === '') return
  options.pinUpdate = explained('error decoding update option parameter', () => decodeCid(text))
}

function origins(options: PinOptions, query: Query): void {
  const text = query.get('origins')
  if (text === '') return
  const addresses = text.split(',')
  for (const address of addresses) checkOrigin(address)
  options.origins = addresses
}

function explained<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new Error(`${what}: ${messageOf(error)}`, { cause: error })
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
