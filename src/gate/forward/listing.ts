/**
 * Answers listings from the gate's cache, which reads each once from the cluster for all clients.
 */
import { ClusterFault } from '../../cluster/faults.js'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import { either, type Found, type ListingRequest, type Listings } from '../../listings/listings.js'
import type { Spool } from '../../listings/spool.js'
import type { Timers } from '../../time/clock.js'
import type { Accepted, AnswerBody, Handler, Handling, StreamedAnswer } from '../handler.js'
import type { RequestRecord } from '../record/record.js'
import type { ListingPlan } from '../plan.js'
import type { Outage } from '../outage/outage.js'
import { withQueued } from '../outage/queued-listing.js'
import type { Authorized } from '../request.js'

export type ServeListing = Handler<ListingPlan, StreamedAnswer | 'answered'>

/** Operation states change by the second; a listing of them is shared for one second. */
const cheapMaxAgeMs = 1000

export interface ListingParts {
  readonly listings: Pick<Listings, 'find'>
  readonly outage: Pick<Outage, 'isEmpty' | 'queued'>
  readonly clock: Timers
}

export function createServeListing(parts: ListingParts): ServeListing {
  const readers = new Readers()
  return async (handling, plan) => {
    const { request, answering } = handling
    const { listing } = request.snapshot.config
    const refusal = readers.enter(request, listing.perEncoderMax, listing.readersMax)
    if (refusal !== undefined) {
      answering.header('retry-after', 1)
      answering.refuse(refusal)
      return 'answered'
    }
    try {
      return await find(parts, handling, plan)
    } catch (error) {
      if (!(error instanceof ClusterFault)) throw error
      if (!request.isClosed) answering.fault(error)
      return 'answered'
    }
  }
}

async function find(
  { listings, outage, clock }: ListingParts,
  handling: Handling,
  plan: ListingPlan,
): Promise<StreamedAnswer> {
  const { request, accepted } = handling
  const { listTimeoutMs } = request.snapshot.config.cluster
  const { signal, settle } = patience(request, listTimeoutMs, clock)
  let found: Found | undefined
  let isRead = false
  try {
    found = await listings.find(listingRequest(handling, plan, signal))
    request.listing = found.origin
    const { status, upstreamMs } = await either(found.entry.head, signal)
    if (found.origin === 'fresh') request.exchange = { upstreamMs, upstreamStatus: status }
    if (status === 500) request.fault('cluster-error', status)
    isRead = true
    request.onClose(found.release)
    if (outage.isEmpty || (status !== 200 && status !== 204))
      return answerOf(request, found, status, accepted, clock)
    // A compressed listing cannot be changed.
    const answer = answerOf(request, found, status, {}, clock)
    const body = withQueued(answer.body, outage.queued(), plan.hasQueued)
    return { ...answer, status: 200, body }
  } finally {
    settle()
    if (!isRead) found?.release()
  }
}

function listingRequest(
  { request: { snapshot, encoder }, headers, accepted }: Handling,
  { query, scope }: ListingPlan,
  signal: AbortSignal,
): ListingRequest {
  const { listing, cluster } = snapshot.config
  const isCheap = scope === 'operations'
  return {
    owner: encoder.name,
    query,
    headers,
    isCheap,
    mayBeLocal: listing.local === 'auto' && !query.includes('local='),
    mustBeNew: encoder.role === 'operator' && noCache.test(accepted['cache-control'] ?? ''),
    maxAgeMs: isCheap ? Math.min(cheapMaxAgeMs, listing.maxAgeMs) : listing.maxAgeMs,
    headMs: cluster.listTimeoutMs,
    runMs: listing.runMs,
    idMs: cluster.idTimeoutMs,
    signal,
  }
}

const noCache = /(?:^|[\s,])no-cache(?:$|[\s,])/i

function answerOf(
  request: Authorized,
  { entry, origin }: Found,
  status: number,
  { 'accept-encoding': encodings = '' }: Accepted,
  { monotonic }: Timers,
): StreamedAnswer {
  const { compress, stallMs } = request.snapshot.config.listing
  const { spool, isCompressed } = entry.read(compress && acceptsGzip(encodings))
  const ageSeconds = Math.max(0, Math.floor((monotonic() - entry.askedMs) / 1000))
  const headers = {
    'content-type': 'application/json',
    age: String(ageSeconds),
    'cache-status': cacheStatus[origin],
    ...(compress && { vary: 'accept-encoding' }),
    ...(isCompressed && { 'content-encoding': 'gzip' }),
  }
  const streamErrors = status === 200 ? () => entry.streamErrors : undefined
  const body = status === 204 ? undefined : bodyOf(request, spool, streamErrors)
  return { status, headers, body, stallMs }
}

/**
 * Begins to read at once, while the entry is retained; if the client leaves, the entry is released
 * too.
 */
function bodyOf(
  request: RequestRecord,
  spool: Spool,
  streamErrors: AnswerBody['streamErrors'],
): AnswerBody {
  const cursor = spool.enter(() => {
    request.abort('client-stalled', 200)
    request.socket?.destroy()
  })
  const leave = (): void => {
    spool.leave(cursor)
  }
  request.onClose(leave)
  return { next: () => spool.next(cursor), leave, streamErrors }
}

/** RFC 9211; the detail says it in one word. */
const cacheStatus: Readonly<Record<Found['origin'], string>> = {
  fresh: 'pinwarden; fwd=miss; stored; detail=fresh',
  shared: 'pinwarden; fwd=miss; collapsed; detail=shared',
  cached: 'pinwarden; hit; detail=cached',
}

/** RFC 9110 §12.5.3, as far as one coding needs it. */
function acceptsGzip(header: string): boolean {
  const codings = header.split(',').map((coding) => coding.split(';').map((part) => part.trim()))
  const quality = (name: string): number | undefined => {
    const coding = codings.find(([token = '']) => token.toLowerCase() === name)
    const q = coding?.slice(1).find((parameter) => /^q=/i.test(parameter))
    return coding === undefined ? undefined : Number(q?.slice(2) ?? 1)
  }
  return (quality('gzip') ?? quality('x-gzip') ?? quality('*') ?? 0) > 0
}

/** Ends when the client leaves, or when the answer is too late. */
function patience(record: RequestRecord, ms: number, { setTimer }: Timers) {
  const abort = new AbortController()
  const settle = setTimer(ms, () => {
    abort.abort(new ClusterFault('cluster-timeout'))
  })
  record.onClose(() => {
    settle()
    abort.abort(new Error('the client left'))
  })
  return { signal: abort.signal, settle }
}

/** Listings in progress: each holds a connection, and a cursor in a cache entry. */
class Readers {
  private readonly counts = new KeyedCounter()
  private all = 0

  /** @returns the refusal; undefined: counted until the record's end */
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
