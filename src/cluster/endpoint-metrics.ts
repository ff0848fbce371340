/** Metrics of the cluster's endpoints. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { PeerReport } from './endpoint.js'

/** @param reports read at each scrape, as a reload may change the endpoints */
export function registerEndpoints(registry: Registry, reports: () => readonly PeerReport[]): void {
  const labelNames = ['endpoint'] as const
  const each = (value: (report: PeerReport) => number) => ({
    labelNames,
    read: () => reports().map((report) => [{ endpoint: report.name }, value(report)] as const),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_up',
    help: '1: the endpoint is up; 0: it is down or half-open.',
    ...each(({ state }) => (state === 'up' ? 1 : 0)),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_lag_seconds',
    help: 'How long the endpoint has lacked what another one has; 0: it keeps up.',
    ...each(({ lagMs }) => lagMs / 1000),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_requests_in_flight',
    help: 'In-flight requests to the endpoint.',
    ...each(({ load }) => load),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_answers_total',
    help: 'Requests that the endpoint answered.',
    ...each(({ answers }) => answers),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_answer_seconds_total',
    help: 'Total time from requests to answers.',
    ...each(({ answerMs }) => answerMs / 1000),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_faults_total',
    help: 'Requests that failed at the endpoint, including those that another one then answered.',
    labelNames: ['endpoint', 'reason'],
    read: () =>
      reports().flatMap(({ name, faults }) =>
        [...faults].map(([reason, count]) => [{ endpoint: name, reason }, count] as const),
      ),
  })
}
