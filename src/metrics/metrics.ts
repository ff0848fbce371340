/** What is counted of the requests, and the process's own state. */
import { collectDefaultMetrics, Registry } from '@prometheus-io/client'
import type { EndpointReport } from '../cluster/endpoint.js'
import type { FallbackReport } from '../fallback/fallback.js'
import type { JournalReport } from '../journal/journal.js'
import type { PinNews } from '../progress/followed.js'
import type { Unsettled } from '../progress/follower.js'
import type { Permission } from '../settings/keyring/permissions.js'
import type { StoreReport } from '../store/store.js'
import { instrumentsIn, type Instruments } from './instruments.js'
import { addEndpoints } from './endpoint-instruments.js'
import { addFallback } from './fallback-instruments.js'
import { addJournal } from './journal-instruments.js'
import { addProgress } from './progress-instruments.js'
import { addStore } from './store-instruments.js'
import type { TalliedCounter } from './tallied-counter.js'
import { absent, bounded, encodersMax, reasonsMax, remembered } from './labels.js'

/** What the instruments take of a request's access line. */
export interface FinishedRequest {
  /** Only a name that was authenticated: it becomes a label. */
  readonly encoder?: string | undefined
  readonly permission?: Permission | undefined
  readonly status: number
  readonly outcome: 'answered' | 'journaled' | 'refused' | 'fault' | 'aborted' | 'bug'
  /** A word of a fixed vocabulary: it becomes a label. */
  readonly reason?: string | undefined
  /** The same of a refusal that was only observed. */
  readonly wouldRefuse?: string | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly durationMs: number
  readonly upstreamMs?: number | undefined
  readonly upstreamStatus?: number | undefined
  /** How it came to its listing. */
  readonly listing?: 'fresh' | 'shared' | 'cached' | undefined
}

export interface MetricsParts {
  /** Of pinwarden itself. */
  readonly version: string
  /** Requests under way, asked when the metrics are read; so is the next. */
  readonly inFlight: () => number
  /** Lines that the log lost so far. */
  readonly linesDropped: () => number
  /** How each endpoint of the cluster is. */
  readonly endpoints?: () => readonly EndpointReport[]
  /** How many pins of each encoder the cluster is still at. */
  readonly unsettled?: () => ReadonlyMap<string, Unsettled>
  /** Undefined: there is no journal. */
  readonly journal?: () => JournalReport | undefined
  /** Undefined: there is no fallback. */
  readonly fallback?: () => FallbackReport | undefined
  /** Undefined: there is no store. */
  readonly store?: () => StoreReport | undefined
}

export interface Metrics {
  /** Counts one finished request. */
  readonly observe: (line: FinishedRequest) => void
  /** Counts what became of a pin. */
  readonly settled: (news: PinNews) => void
  /** Counts the load at the start as well. */
  reloaded(isSuccessful: boolean): void
  /** Undefined when the gate speaks plain HTTP: the instrument then has no value. */
  certificateExpires(at: Date | undefined): void
  readonly contentType: string
  /** All instruments in Prometheus' text format. */
  exposition(): Promise<string>
}

/** With registries of their own, several may live in one process. */
export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 })
  const instruments = instrumentsIn(registry, parts)
  addEndpoints(registry, parts.endpoints ?? (() => []))
  const settled = addProgress(registry, parts.unsettled ?? (() => new Map()))
  addJournal(registry, parts.journal ?? (() => undefined))
  addFallback(registry, parts.fallback ?? (() => undefined))
  addStore(registry, parts.store ?? (() => undefined))
  const { reloadSuccessful, reloadTimestamp, certificateExpiry } = instruments

  return {
    observe: observer(instruments),
    settled,
    reloaded: (isSuccessful) => {
      reloadSuccessful.set(isSuccessful ? 1 : 0)
      if (isSuccessful) reloadTimestamp.set(Date.now() / 1000)
    },
    certificateExpires: (at) => {
      if (at === undefined) certificateExpiry.remove()
      else certificateExpiry.set(at.getTime() / 1000)
    },
    contentType: registry.contentType,
    exposition: () => registry.metrics(),
  }
}

type Result = 'ok' | 'journaled' | 'refused' | 'failed'

/** Tallies are looked up once; after that a request makes no new labels. */
function observer(instruments: Instruments): Metrics['observe'] {
  const { refusals, authFailures, faults, aborts, pins, unpins } = instruments
  const encoderOf = bounded(encodersMax)
  const reasonOf = bounded(reasonsMax)
  const code = remembered((encoder: string) =>
    remembered((permission: string) =>
      remembered((code: string) => instruments.requests.labels({ encoder, permission, code })),
    ),
  )
  const duration = remembered((permission: string) => instruments.duration.labels({ permission }))
  const upstream = remembered((permission: string) => instruments.upstream.labels({ permission }))
  const byEncoder = (counter: TalliedCounter<'reason' | 'encoder'>) =>
    remembered((encoder: string) =>
      remembered((reason: string) => counter.labels({ reason, encoder })),
    )
  const byReason = (counter: TalliedCounter<'reason'>) =>
    remembered((reason: string) => counter.labels({ reason }))
  const byResult = (counter: TalliedCounter<'encoder' | 'result'>) =>
    remembered((encoder: string) =>
      remembered((result: Result) => counter.labels({ encoder, result })),
    )
  const listing = remembered((origin: string) => instruments.listings.labels({ origin }))
  const refusal = byEncoder(refusals)
  const wouldRefuse = byEncoder(instruments.wouldRefuse)
  const authFailure = byReason(authFailures)
  const fault = byReason(faults)
  const abort = byReason(aborts)
  const pin = byResult(pins)
  const unpin = byResult(unpins)
  const received = instruments.receivedBytes.labels({})
  const sent = instruments.sentBytes.labels({})
  const bugs = instruments.bugs.labels({})

  return (line) => {
    const { outcome, permission = absent } = line
    const encoder = encoderOf(line.encoder)
    const reason = reasonOf(line.reason)
    code(encoder)(permission)(codeOf(line.status)).inc()
    duration(permission).observe(line.durationMs / 1000)
    if (line.upstreamMs !== undefined) upstream(permission).observe(line.upstreamMs / 1000)
    // A connection that is cut forgets what it had counted as written but could not send.
    received.inc(Math.max(0, line.bytesIn))
    sent.inc(Math.max(0, line.bytesOut))
    if (line.listing !== undefined) listing(line.listing).inc()
    if (permission === 'pin') pin(encoder)(resultOf(line)).inc()
    if (permission === 'unpin') unpin(encoder)(resultOf(line)).inc()

    if (line.wouldRefuse !== undefined) wouldRefuse(encoder)(reasonOf(line.wouldRefuse)).inc()
    if (outcome === 'refused') refusal(encoder)(reason).inc()
    if (outcome === 'refused' && line.status === 401) authFailure(reason).inc()
    if (outcome === 'fault') fault(reason).inc()
    if (outcome === 'aborted') abort(reason).inc()
    if (outcome === 'bug') bugs.inc()
  }
}

/** What became of it in the cluster: a client that leaves after its answer undoes nothing. */
function resultOf({ outcome, upstreamStatus = 0 }: FinishedRequest): Result {
  if (outcome === 'refused' || outcome === 'journaled') return outcome
  const isDone = upstreamStatus >= 200 && upstreamStatus < 300
  return isDone && (outcome === 'answered' || outcome === 'aborted') ? 'ok' : 'failed'
}

const codes = ['1xx', '2xx', '3xx', '4xx', '5xx']

const codeOf = (status: number): string => codes[Math.trunc(status / 100) - 1] ?? absent
