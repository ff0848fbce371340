/** The instruments of the cluster's endpoints. */
import { addCounter, addGauge } from '../metrics/read-at-scrape.js'
import type { Registry } from '../metrics/registry.js'
import type { PeerReport } from './endpoint.js'

/** @param reports a reload may change which endpoints there are */
export function registerEndpoints(registry: Registry, reports: () => readonly PeerReport[]): void {
  const labelNames = ['endpoint'] as const
  const each = (value: (report: PeerReport) => number) => ({
    labelNames,
    read: () => reports().map((report) => [{ endpoint: report.name }, value(report)] as const),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_up',
    help: 'Whether it is asked.',
    ...each(({ state }) => (state === 'up' ? 1 : 0)),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_lag_seconds',
    help: 'How long it has lacked what was written at another endpoint; 0: it keeps up.',
    ...each(({ lagMs }) => lagMs / 1000),
  })
  addGauge(registry, {
    name: 'pinwarden_endpoint_requests_in_flight',
    help: 'Requests that it is at.',
    ...each(({ load }) => load),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_answers_total',
    help: 'Requests that it answered.',
    ...each(({ answers }) => answers),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_answer_seconds_total',
    help: 'From asking it to its answer, summed up.',
    ...each(({ answerMs }) => answerMs / 1000),
  })
  addCounter(registry, {
    name: 'pinwarden_endpoint_faults_total',
    help: 'Requests that failed for it, also those answered elsewhere.',
    labelNames: ['endpoint', 'reason'],
    read: () =>
      reports().flatMap(({ name, faults }) =>
        [...faults].map(([reason, count]) => [{ endpoint: name, reason }, count] as const),
      ),
  })
}
