/** The instruments, in one list: what is counted of the requests, and the process's own state. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Permission } from './settings/permissions.js'

/** What the instruments take of a request's access line. */
export interface FinishedRequest {
  /** Only a name that was authenticated: it becomes a label. */
  readonly encoder?: string | undefined
  readonly permission?: Permission | undefined
  readonly status: number
  readonly outcome: 'answered' | 'refused' | 'fault' | 'aborted' | 'bug'
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
}

export interface Metrics {
  /** Counts one finished request. */
  readonly observe: (line: FinishedRequest) => void
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
  const { reloadSuccessful, reloadTimestamp, certificateExpiry } = instruments

  return {
    observe: observer(instruments),
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

/** The gate's time limits end below the last one; only listings may go beyond. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30]

type Instruments = ReturnType<typeof instrumentsIn>

function instrumentsIn(registry: Registry, { version, inFlight, linesDropped }: MetricsParts) {
  const about = (name: string, help: string) => ({
    name: `pinwarden_${name}`,
    help,
    registers: [registry],
  })
  const counter = <T extends string>(name: string, labelNames: readonly T[], help: string) =>
    new Counter({ ...about(name, help), labelNames })
  const gauge = (name: string, help: string) => new Gauge(about(name, help))
  const seconds = (name: string, help: string) =>
    new Histogram({ ...about(name, help), labelNames: ['permission'] as const, buckets })

  const instruments = {
    requests: counter(
      'requests_total',
      ['encoder', 'permission', 'code'],
      'Requests that ended, by the class of the status sent.',
    ),
    duration: seconds('request_duration_seconds', "From a head's arrival to the last byte taken."),
    upstream: seconds('upstream_duration_seconds', 'From asking the cluster to its answer.'),
    refusals: counter('refusals_total', ['reason', 'encoder'], 'Requests that were turned away.'),
    wouldRefuse: counter(
      'would_refuse_total',
      ['reason', 'encoder'],
      'Requests that passed, as their refusal is only observed.',
    ),
    authFailures: counter('auth_failures_total', ['reason'], 'Requests answered 401.'),
    faults: counter('faults_total', ['reason'], 'Requests that failed for the cluster.'),
    aborts: counter('aborts_total', ['reason'], 'Requests whose client left or stalled.'),
    bugs: counter('bugs_total', [], 'Requests that failed for pinwarden itself.'),
    listings: counter(
      'listings_total',
      ['origin'],
      'Listings: fresh from the cluster, shared with one under way, or cached.',
    ),
    receivedBytes: counter('received_bytes_total', [], 'Bytes read from clients.'),
    sentBytes: counter('sent_bytes_total', [], 'Bytes written to clients.'),
    pins: counter('pins_total', ['encoder', 'result'], 'Pins: ok, refused or failed.'),
    unpins: counter('unpins_total', ['encoder', 'result'], 'Unpins: ok, refused or failed.'),
    reloadSuccessful: gauge(
      'config_last_reload_successful',
      'Whether the settings last read are in force.',
    ),
    reloadTimestamp: gauge(
      'config_last_reload_success_timestamp_seconds',
      'When settings last came into force.',
    ),
    certificateExpiry: gauge(
      'certificate_expiry_timestamp_seconds',
      'When the certificate of the public port expires.',
    ),
  }
  new Gauge({
    ...about('requests_in_flight', 'Requests under way.'),
    collect() {
      this.set(inFlight())
    },
  })
  new Counter({
    ...about('log_lines_dropped_total', 'Log lines lost because the sink stalled.'),
    collect() {
      this.reset()
      this.inc(linesDropped())
    },
  })
  new Gauge({ ...about('build_info', 'Always 1.'), labelNames: ['version', 'node'] as const }).set(
    { version, node: process.version },
    1,
  )
  // A zero would read as a certificate, or settings, of 1970.
  instruments.certificateExpiry.remove()
  instruments.reloadTimestamp.remove()
  return instruments
}

type Result = 'ok' | 'refused' | 'failed'

/** Children are looked up once; after that a request makes no new labels. */
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
  const byEncoder = (counter: Counter<'reason' | 'encoder'>) =>
    remembered((encoder: string) =>
      remembered((reason: string) => counter.labels({ reason, encoder })),
    )
  const byReason = (counter: Counter<'reason'>) =>
    remembered((reason: string) => counter.labels({ reason }))
  const byResult = (counter: Counter<'encoder' | 'result'>) =>
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

  return (line) => {
    const { outcome, permission = absent } = line
    const encoder = encoderOf(line.encoder)
    const reason = reasonOf(line.reason)
    code(encoder)(permission)(codeOf(line.status)).inc()
    duration(permission).observe(line.durationMs / 1000)
    if (line.upstreamMs !== undefined) upstream(permission).observe(line.upstreamMs / 1000)
    // A connection that is cut forgets what it had counted as written but could not send.
    instruments.receivedBytes.inc(Math.max(0, line.bytesIn))
    instruments.sentBytes.inc(Math.max(0, line.bytesOut))
    if (line.listing !== undefined) listing(line.listing).inc()
    if (permission === 'pin') pin(encoder)(resultOf(line)).inc()
    if (permission === 'unpin') unpin(encoder)(resultOf(line)).inc()

    if (line.wouldRefuse !== undefined) wouldRefuse(encoder)(reasonOf(line.wouldRefuse)).inc()
    if (outcome === 'refused') refusal(encoder)(reason).inc()
    if (outcome === 'refused' && line.status === 401) authFailure(reason).inc()
    if (outcome === 'fault') fault(reason).inc()
    if (outcome === 'aborted') abort(reason).inc()
    if (outcome === 'bug') instruments.bugs.inc()
  }
}

/** What became of it in the cluster: a client that leaves after its answer undoes nothing. */
function resultOf({ outcome, upstreamStatus = 0 }: FinishedRequest): Result {
  if (outcome === 'refused') return 'refused'
  const isDone = upstreamStatus >= 200 && upstreamStatus < 300
  return isDone && (outcome === 'answered' || outcome === 'aborted') ? 'ok' : 'failed'
}

const codes = ['1xx', '2xx', '3xx', '4xx', '5xx']

const codeOf = (status: number): string => codes[Math.trunc(status / 100) - 1] ?? absent

/** To Prometheus an empty label is none; no encoder can be called so. */
const absent = ''
/** Nor so. */
const excess = '_other'

/** Encoders beyond it count together; those of earlier settings stay until the next start. */
const encodersMax = 1024
const reasonsMax = 128

/** A label can be no more than so many words, whatever comes; only words, and short ones. */
function bounded(wordsMax: number): (word: string | undefined) => string {
  const known = new Set<string>()
  return (word = absent) => {
    if (word === absent || known.has(word)) return word
    if (known.size >= wordsMax || !/^[a-z0-9][a-z0-9._-]{0,62}$/.test(word)) return excess
    known.add(word)
    return word
  }
}

function remembered<K, V extends object>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    let value = known.get(key)
    if (value === undefined) {
      value = make(key)
      known.set(key, value)
    }
    return value
  }
}
