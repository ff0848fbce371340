/** Metrics of requests: counted from the access line, and those in flight. */
import { Histogram } from '@prometheus-io/client'
import { absent, bounded, encoderLabelsMax, reasonsMax, remembered } from '../../metrics/labels.js'
import { addCounter, addGauge } from '../../metrics/read-at-scrape.js'
import type { Registry } from '../../metrics/registry.js'
import { TalliedCounter } from '../../metrics/tallied-counter.js'
import type { AccessLine } from '../../log/access-line.js'
import { changeOf } from '../../settings/values/permissions.js'

/** The counted fields of an access line. Each label has a bounded number of values. */
export type CountedLine = Pick<
  AccessLine,
  | 'encoder'
  | 'permission'
  | 'status'
  | 'outcome'
  | 'reason'
  | 'wouldRefuse'
  | 'bytesIn'
  | 'bytesOut'
  | 'durationMs'
  | 'listing'
  | 'upstreamMs'
  | 'upstreamStatus'
>

type Result = 'ok' | 'journaled' | 'refused' | 'failed'

/** The gate's time limits end below the last one; only listings may go beyond. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30]

interface CountedConnections {
  readonly requestsInFlight: number
  /** By kind. */
  readonly counts: Readonly<Record<string, number>>
  /** By reason. */
  readonly ended: Readonly<Record<string, number>>
}

/** @returns counts one ended request; labels are built only once */
export function registerRequests(
  registry: Registry,
  connections: CountedConnections,
): (line: CountedLine) => void {
  const by = instrumentsOn(registry)
  const request = by.encoderPermissionAndCode(
    'pinwarden_requests_total',
    'Completed requests, by class of status.',
  )
  const duration = by.permissionInSeconds(
    'pinwarden_request_duration_seconds',
    'From the arrival of the headers until the client has the last byte.',
  )
  const upstream = by.permissionInSeconds(
    'pinwarden_upstream_duration_seconds',
    'From the request to the cluster until its answer.',
  )
  const refusal = by.encoderAndReason('pinwarden_refusals_total', 'Requests that the gate refused.')
  const wouldRefuse = by.encoderAndReason(
    'pinwarden_would_refuse_total',
    'Requests that a rule forbids, but that passed because enforcement is observe.',
  )
  const authFailure = by.reason('pinwarden_auth_failures_total', 'Requests answered 401.')
  const fault = by.reason(
    'pinwarden_faults_total',
    'Requests that failed because of the cluster, the store, the ledger or the lock of a pin.',
  )
  const abort = by.reason('pinwarden_aborts_total', 'Requests whose client left or stalled.')
  const bugs = by.nothing('pinwarden_bugs_total', 'Requests that hit a bug in pinwarden.')
  const listing = by.origin(
    'pinwarden_listings_total',
    'Listings: fresh from the cluster, shared with another client, or cached.',
  )
  const received = by.nothing('pinwarden_received_bytes_total', 'Bytes read from clients.')
  const sent = by.nothing('pinwarden_sent_bytes_total', 'Bytes written to clients.')
  const changes = {
    pin: by.encoderAndResult('pinwarden_pins_total', 'Pins: ok, journaled, refused or failed.'),
    unpin: by.encoderAndResult('pinwarden_unpins_total', 'Unpins: ok, refused or failed.'),
  }
  addGauge(registry, {
    name: 'pinwarden_requests_in_flight',
    help: 'Requests in flight.',
    read: () => connections.requestsInFlight,
  })
  addGauge(registry, {
    name: 'pinwarden_connections',
    help: 'Open connections: of encoders, strangers, trusted proxies, and in TLS handshakes.',
    labelNames: ['kind'],
    read: () => Object.entries(connections.counts).map(([kind, count]) => [{ kind }, count]),
  })
  addCounter(registry, {
    name: 'pinwarden_connections_ended_total',
    help: 'Connections that the gate closed: to make room, over a rate, for refused credentials.',
    labelNames: ['reason'],
    read: () => Object.entries(connections.ended).map(([reason, count]) => [{ reason }, count]),
  })

  const encoderOf = bounded(encoderLabelsMax)
  const reasonOf = bounded(reasonsMax)
  return (line) => {
    const { outcome, permission = absent } = line
    const encoder = encoderOf(line.encoder)
    const reason = reasonOf(line.reason)
    request(encoder)(permission)(codeOf(line.status)).inc()
    duration(permission).observe(line.durationMs / 1000)
    if (line.upstreamMs !== undefined) upstream(permission).observe(line.upstreamMs / 1000)
    // A cut connection no longer counts bytes that it wrote but could not send.
    received.inc(Math.max(0, line.bytesIn))
    sent.inc(Math.max(0, line.bytesOut))
    if (line.listing !== undefined) listing(line.listing).inc()
    const change = line.permission && changeOf[line.permission]
    if (change !== undefined) changes[change](encoder)(resultOf(line)).inc()
    if (line.wouldRefuse !== undefined) wouldRefuse(encoder)(reasonOf(line.wouldRefuse)).inc()
    if (outcome === 'refused') refusal(encoder)(reason).inc()
    if (outcome === 'refused' && line.status === 401) authFailure(reason).inc()
    if (outcome === 'fault') fault(reason).inc()
    if (outcome === 'aborted') abort(reason).inc()
    if (outcome === 'bug') bugs.inc()
  }
}

/** Creates metrics; finds a counter by one label after the other. */
function instrumentsOn(registry: Registry) {
  const registers = [registry]
  const counter = <T extends string>(name: string, help: string, ...labelNames: readonly T[]) =>
    new TalliedCounter({ name, help, registers, labelNames })
  return {
    nothing: (name: string, help: string) => counter<string>(name, help).labels({}),
    reason: (name: string, help: string) => {
      const counted = counter(name, help, 'reason')
      return remembered((reason: string) => counted.labels({ reason }))
    },
    origin: (name: string, help: string) => {
      const counted = counter(name, help, 'origin')
      return remembered((origin: string) => counted.labels({ origin }))
    },
    encoderAndReason: (name: string, help: string) => {
      const counted = counter(name, help, 'reason', 'encoder')
      return remembered((encoder: string) =>
        remembered((reason: string) => counted.labels({ reason, encoder })),
      )
    },
    encoderAndResult: (name: string, help: string) => {
      const counted = counter(name, help, 'encoder', 'result')
      return remembered((encoder: string) =>
        remembered((result: Result) => counted.labels({ encoder, result })),
      )
    },
    encoderPermissionAndCode: (name: string, help: string) => {
      const counted = counter(name, help, 'encoder', 'permission', 'code')
      return remembered((encoder: string) =>
        remembered((permission: string) =>
          remembered((code: string) => counted.labels({ encoder, permission, code })),
        ),
      )
    },
    permissionInSeconds: (name: string, help: string) => {
      const labelNames = ['permission'] as const
      const timed = new Histogram({ name, help, registers, labelNames, buckets })
      return remembered((permission: string) => timed.labels({ permission }))
    },
  }
}

/** The outcome at the cluster: a client that leaves after its answer undoes nothing. */
function resultOf({ outcome, upstreamStatus = 0 }: CountedLine): Result {
  if (outcome === 'refused' || outcome === 'journaled') return outcome
  const isDone = upstreamStatus >= 200 && upstreamStatus < 300
  return isDone && (outcome === 'answered' || outcome === 'aborted') ? 'ok' : 'failed'
}

const codes = ['1xx', '2xx', '3xx', '4xx', '5xx']

const codeOf = (status: number): string => codes[Math.trunc(status / 100) - 1] ?? absent
