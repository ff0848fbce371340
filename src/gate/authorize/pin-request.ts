/** Turns a routed request into the cluster's: rebuilt from its parts, never passed on unchanged. */
import { canonicalCid } from '../../cluster/cid.js'
import type { OptionGrant } from '../../settings/values/permissions.js'
import { encodeQuery, type Parameter, queryBytesMax } from '../../cluster/query.js'
import { areTooLong } from '../../leases/decide.js'
import { readDuration } from './go-duration.js'
import { type PinOptions, readPinOptions, unknownParameter } from './pin-options.js'
import { BadRequest } from '../refusals.js'
import { pathFrom } from '../target.js'
import type { Plan, UpstreamCall } from '../plan.js'

/** What a parser may use. */
export interface Asked {
  readonly segments: readonly string[]
  readonly query: ReadonlyMap<string, string>
  readonly granted: ReadonlySet<OptionGrant>
}

/** @throws BadRequest when the request must not reach the cluster */
export type Parse = (asked: Asked) => Plan

/** `GET /id` */
export const idRequest: Parse = ({ query }) => {
  onlyKnown(query, [])
  return relayed({ method: 'GET', path: '/id', query: '' })
}

/** `GET /pins/{cid}`; with the gate's own `wait`, once the pin is in a terminal state. */
export const statusRequest: Parse = ({ segments, query }) => {
  onlyKnown(query, ['local', 'wait'])
  const cid = readCid(segments[1])
  const wait = query.get('wait')
  const waitMs = wait === undefined ? undefined : readWait(wait)
  const path = pathFrom(['pins', cid])
  const call = { method: 'GET', path, query: encode(local(query)), cid } as const
  return { kind: 'pinStatus', cid, call, waitMs }
}

/** Shorter than the time limits of proxies and clients. */
const waitSecondsMax = 60

function readWait(text: string): number {
  const ms = (readDuration(text) ?? NaN) / 1e6
  if (ms >= 1000 && ms <= waitSecondsMax * 1000) return ms
  throw new BadRequest('bad-query', `parameter wait invalid: 1s to ${waitSecondsMax}s`)
}

/** More would only pile up Kubo lookups: the cluster runs one per CID, all at once. */
const cidsMax = 100

/** `GET /pins`: some CIDs, an operation state, or the whole listing. */
export const pinsRequest: Parse = ({ query }) => {
  if (query.has('owner')) return ownRequest(query)
  onlyKnown(query, ['local', 'filter', 'cids'])
  const cids = query.get('cids')?.split(',').map(readCid)
  if (cids !== undefined) {
    if (cids.length > cidsMax) throw new BadRequest('bad-query', `more than ${cidsMax} cids`)
    // The cluster ignores a filter beside cids.
    const parameters: Parameter[] = [['cids', cids.join(',')], ...local(query)]
    return relayed({ method: 'GET', path: '/pins', query: encode(parameters), cids })
  }
  const filter = query.get('filter')
  if (filter !== undefined && !statusNames(filter).every((name) => statuses.has(name))) {
    throw new BadRequest('bad-query', 'invalid filter value')
  }
  const filters: Parameter[] = filter === undefined ? [] : [['filter', canonicalFilter(filter)]]
  const scope = filter !== undefined && isCheap(filter) ? 'operations' : 'whole'
  const names = filter === undefined ? ['queued'] : statusNames(filter)
  const hasQueued = names.includes('queued') || names.includes('pin_queued')
  return { kind: 'listing', query: encode([...filters, ...local(query)]), scope, hasQueued }
}

function ownRequest(query: ReadonlyMap<string, string>): Plan {
  onlyKnown(query, ['owner', 'after', 'limit'])
  if (query.get('owner') !== 'me') throw new BadRequest('bad-query', 'owner can only be me')
  const limit = query.get('limit') ?? String(cidsMax)
  if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > cidsMax)
    throw new BadRequest('bad-query', `limit is 1 to ${cidsMax}`)
  const after = query.get('after')
  return {
    kind: 'ownPins',
    after: after === undefined ? undefined : readCid(after),
    limit: Number(limit),
  }
}

/** States that the cluster answers from its list of operations, without asking Kubo. */
const operationStates = [
  'cluster_error',
  'pin_error',
  'unpin_error',
  'error',
  'pinning',
  'unpinning',
  'unpinned',
  'pin_queued',
  'unpin_queued',
  'queued',
]
const cheap = new Set(operationStates)
const statuses = new Set([
  ...operationStates,
  'pinned',
  'remote',
  'sharded',
  'unexpectedly_unpinned',
])

const statusNames = (filter: string): string[] => filter.split(',').map((name) => name.trim())

/** Names of state groups: the cluster knows both spellings as the same. */
const several = new Map([
  ['error', ['cluster_error', 'pin_error', 'unpin_error']],
  ['queued', ['pin_queued', 'unpin_queued']],
])

/** In one order and spelling, so that equal listings are shared. */
function canonicalFilter(filter: string): string {
  const names = new Set(statusNames(filter).flatMap((name) => several.get(name) ?? [name]))
  for (const [name, parts] of several)
    if (parts.every((part) => names.has(part))) {
      for (const part of parts) names.delete(part)
      names.add(name)
    }
  return [...names].sort().join(',')
}

const isCheap = (filter: string): boolean => statusNames(filter).every((name) => cheap.has(name))

/** Whether `GET /pins` asks for more than a few CIDs, or than what the cluster has in memory. */
export function isListing(query: ReadonlyMap<string, string>): boolean {
  const filter = query.get('filter')
  return !query.has('cids') && !query.has('owner') && (filter === undefined || !isCheap(filter))
}

/** `POST /pins/{cid}` and `POST /pins/ipfs/{cid}`, which is the same to the cluster. */
export const pinRequest: Parse = ({ segments, query, granted }) => {
  const cid = readCid(segments.at(-1))
  return { kind: 'pin', cid, ...readOptions(query, granted) }
}

/** `DELETE /pins/{cid}` and `DELETE /pins/ipfs/{cid}` */
export const unpinRequest: Parse = ({ segments, query }) => {
  onlyKnown(query, [])
  return { kind: 'unpin', cid: readCid(segments.at(-1)) }
}

/** `POST /pins/{cid}/recover` */
export const recoverRequest: Parse = ({ segments, query }) => {
  onlyKnown(query, ['local'])
  const cid = readCid(segments[1])
  const path = pathFrom(['pins', cid, 'recover'])
  return relayed({ method: 'POST', path, query: encode(local(query)), cid })
}

/** `POST /pins/recover` */
export const recoverAllRequest: Parse = ({ query }) => {
  onlyKnown(query, ['local'])
  return relayed({ method: 'POST', path: '/pins/recover', query: encode(local(query)) })
}

/** `POST /pins/(ipfs|ipns|ipld)/{path…}`: Kubo resolves the path first. */
export const pinPathRequest: Parse = ({ segments, query, granted }) => {
  const path = resolvedPath(segments)
  const { options, untilMs } = readOptions(query, granted)
  return { kind: 'path', method: 'POST', path, options, untilMs }
}

/** `DELETE` of the same */
export const unpinPathRequest: Parse = ({ segments, query }) => {
  onlyKnown(query, [])
  const path = resolvedPath(segments)
  return { kind: 'path', method: 'DELETE', path, options: [], untilMs: Infinity }
}

const relayed = (call: UpstreamCall): Plan => ({ kind: 'relay', call })

const pathSegmentsMax = 64
const pathBytesMax = 1024

/** After `ipfs` and `ipld` comes a CID; after `ipns` any name. */
function resolvedPath(segments: readonly string[]): string {
  const [pins = '', namespace = '', root, ...below] = segments
  if (root === undefined || below.length > pathSegmentsMax) throw new BadRequest('bad-path')
  const canonicalRoot = namespace === 'ipns' ? root : readCid(root)
  const path = pathFrom([pins, namespace, canonicalRoot, ...below])
  if (path.length > pathBytesMax) throw new BadRequest('url-too-long')
  return path
}

/** The cluster's request also has the leases of other holders. */
function readOptions(
  query: ReadonlyMap<string, string>,
  granted: ReadonlySet<OptionGrant>,
): PinOptions {
  const read = readPinOptions(query, granted)
  if (areTooLong(read.options)) throw new BadRequest('options-too-long')
  return read
}

function readCid(text: string | undefined): string {
  const cid = canonicalCid(text ?? '')
  if (cid === undefined) throw new BadRequest('bad-cid')
  return cid
}

/** For the cluster only the exact text `true` counts; anything else is its default. */
const local = (query: ReadonlyMap<string, string>): Parameter[] =>
  query.get('local') === 'true' ? [['local', 'true']] : []

function onlyKnown(query: ReadonlyMap<string, string>, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) throw unknownParameter(name)
  }
  const value = query.get('local') ?? 'false'
  if (value !== 'true' && value !== 'false') {
    throw new BadRequest('bad-query', 'parameter local invalid')
  }
}

function encode(parameters: readonly Parameter[]): string {
  const query = encodeQuery(parameters)
  if (query.length > queryBytesMax) throw new BadRequest('bad-query', 'query too long')
  return query
}
