/** The instruments, in one list. */
import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client'
import type { MetricsParts } from './metrics.js'
import { TalliedCounter } from './tallied-counter.js'

/** The gate's time limits end below the last one; only listings may go beyond. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30]

export type Instruments = ReturnType<typeof instrumentsIn>

export function instrumentsIn(
  registry: Registry,
  { version, inFlight, linesDropped }: MetricsParts,
) {
  const about = (name: string, help: string) => ({
    name: `pinwarden_${name}`,
    help,
    registers: [registry],
  })
  const counter = <T extends string>(name: string, labelNames: readonly T[], help: string) =>
    new TalliedCounter({ ...about(name, help), labelNames })
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
    faults: counter(
      'faults_total',
      ['reason'],
      'Requests that failed for the cluster, the shared store or the lock of a pin.',
    ),
    aborts: counter('aborts_total', ['reason'], 'Requests whose client left or stalled.'),
    bugs: counter<string>('bugs_total', [], 'Requests that failed for pinwarden itself.'),
    listings: counter(
      'listings_total',
      ['origin'],
      'Listings: fresh from the cluster, shared with one under way, or cached.',
    ),
    receivedBytes: counter<string>('received_bytes_total', [], 'Bytes read from clients.'),
    sentBytes: counter<string>('sent_bytes_total', [], 'Bytes written to clients.'),
    pins: counter('pins_total', ['encoder', 'result'], 'Pins: ok, journaled, refused or failed.'),
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
