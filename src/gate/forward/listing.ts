/** Answers listings from the gate's cache: the cluster is asked once for all clients. */
import type { FastifyReply } from 'fastify'
import type { RequestHeaders } from '../../http/headers.js'
import { ClusterFault } from '../../cluster/faults.js'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { either, type Found, type ListingRequest, type Listings } from '../../listings/listings.js'
import { refuse } from '../answer.js'
import { answerFault } from '../fault.js'
import type { RequestRecord } from '../record/record.js'
import { writeTo } from './write-listing.js'
import { hasTrailers } from './relay.js'
import type { ListingPlan } from '../plan.js'
import type { Authorized } from '../request.js'

export type ServeListing = (
  request: Authorized,
  reply: FastifyReply,
  plan: ListingPlan,
  headers: RequestHeaders,
) => void

/** Operation states change by the second; they are shared for as long. */
const cheapMaxAgeMs = 1000

/** @returns serves one request; `headers` are for the cluster, should it be asked for this one */
export function createServeListing(listings: Listings): ServeListing {
  const readers = new Readers()
  return (record, reply, plan, headers) => {
    const { listing } = record.snapshot.config
    const refusal = readers.enter(record, listing.perEncoderMax, listing.readersMax)
    if (refusal !== undefined) {
      reply.header('retry-after', 1)
      refuse(reply, record, refusal)
      return
    }
    serve(listings, record, reply, plan, headers).catch((error: unknown) => {
      if (record.isClosed) reply.hijack()
      else if (error instanceof ClusterFault) answerFault(reply, error)
      else reply.send(error)
    })
  }
}

async function serve(
  listings: Listings,
  record: Authorized,
  reply: FastifyReply,
  plan: ListingPlan,
  headers: RequestHeaders,
): Promise<void> {
  const { config } = record.snapshot
  const { listTimeoutMs } = config.cluster
  const { signal, settle } = patience(record, listTimeoutMs)
  let found: Found | undefined
  try {
    const { 'cache-control': cacheControl = '' } = reply.request.headers
    found = await listings.find(listingRequest(record, plan, cacheControl, headers, signal))
    record.listing = found.origin
    const { status, upstreamMs } = await either(found.entry.head, signal)
    if (found.origin === 'fresh') record.exchange = { upstreamMs, upstreamStatus: status }
    send(record, reply, found, status)
  } finally {
    settle()
    found?.release()
  }
}

function listingRequest(
  { snapshot, encoder }: Authorized,
  { query, scope }: ListingPlan,
  cacheControl: string,
  headers: RequestHeaders,
  signal: AbortSignal,
): ListingRequest {
  const { listing, cluster } = snapshot.config
  const isCheap = scope === 'operations'
  return {
    query,
    headers,
    isCheap,
    hidesLetGo: snapshot.config.unpin.graceSeconds > 0,
    mayBeLocal: listing.local === 'auto' && !query.includes('local='),
    mustBeNew: encoder.role === 'operator' && noCache.test(cacheControl),
    maxAgeMs: isCheap ? Math.min(cheapMaxAgeMs, listing.maxAgeMs) : listing.maxAgeMs,
    headMs: cluster.listTimeoutMs,
    runMs: listing.runMs,
    idMs: cluster.idTimeoutMs,
    signal,
  }
}

const noCache = /(?:^|[\s,])no-cache(?:$|[\s,])/i

function send(record: Authorized, reply: FastifyReply, found: Found, status: number): void {
  const { entry, origin } = found
  const { listing } = record.snapshot.config
  const wantsGzip = listing.compress && acceptsGzip(reply.request.headers['accept-encoding'] ?? '')
  const { spool, isCompressed } = entry.read(wantsGzip)
  const ageSeconds = Math.max(0, Math.floor((Date.now() - entry.askedAt) / 1000))
  const headers = {
    'content-type': 'application/json',
    age: String(ageSeconds),
    'cache-status': cacheStatus[origin],
    ...(listing.compress && { vary: 'accept-encoding' }),
    ...(isCompressed && { 'content-encoding': 'gzip' }),
    ...(status === 200 && hasTrailers(reply) && { trailer: 'X-Stream-Error' }),
  }
  reply.code(status)
  const streamErrors = () => (status === 200 ? entry.streamErrors : [])
  if (status === 204) reply.headers(headers).send()
  else void writeTo(reply, { spool, headers, streamErrors, stallMs: listing.stallMs })
}

/** RFC 9211; the detail says it in one word. */
const cacheStatus: Readonly<Record<Found['origin'], string>> = {
  fresh: 'pinwarden; fwd=miss; stored; detail=fresh',
  shared: 'pinwarden; fwd=miss; collapsed; detail=shared',
  cached: 'pinwarden; hit; detail=cached',
}

/** RFC 9110 §12.5.3, as far as one coding needs it. */
export function acceptsGzip(header: string): boolean {
  const codings = header.split(',').map((coding) => coding.split(';').map((part) => part.trim()))
  const quality = (name: string): number | undefined => {
    const coding = codings.find(([token = '']) => token.toLowerCase() === name)
    const q = coding?.slice(1).find((parameter) => /^q=/i.test(parameter))
    return coding === undefined ? undefined : Number(q?.slice(2) ?? 1)
  }
  return (quality('gzip') ?? quality('x-gzip') ?? quality('*') ?? 0) > 0
}

/** How long a client is waited for, and waits: until it leaves, or the answer is too late. */
function patience(record: RequestRecord, ms: number) {
  const abort = new AbortController()
  const clock = setTimeout(() => {
    abort.abort(new ClusterFault('cluster-timeout'))
  }, ms)
  const settle = (): void => {
    clearTimeout(clock)
  }
  record.onClose(() => {
    settle()
    abort.abort(new Error('the client left'))
  })
  return { signal: abort.signal, settle }
}

/** Listings that are being read: each holds a connection, and its cursor in a cache entry. */
class Readers {
  private readonly counts = new KeyedCounter()
  private all = 0

  /** @returns why there is no room; undefined: counted until the record's end */
  enter(record: Authorized, perEncoderMax: number, readersMax: number) {
    const { name } = record.encoder
    if (this.counts.of(name) >= perEncoderMax) return 'too-many-listings' as const
    if (this.all >= readersMax) return 'listings-busy' as const
    this.counts.add(name)
    this.all++
    record.onEnd(() => {
      this.counts.add(name, -1)
      this.all--
    })
    return undefined
  }
}
