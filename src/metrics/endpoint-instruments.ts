/** The instruments of each endpoint of the cluster: read off when the metrics are. */
import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { EndpointReport } from '../cluster/endpoint.js'

type Reports = () => readonly EndpointReport[]

export function addEndpoints(registry: Registry, reports: Reports): void {
  const labelNames = ['endpoint'] as const
  const about = (name: string, help: string) => ({
    name: `pinwarden_endpoint_${name}`,
    help,
    registers: [registry],
    labelNames,
  })
  const gauge = (name: string, help: string, value: (report: EndpointReport) => number) =>
    new Gauge({
      ...about(name, help),
      collect() {
        this.reset()
        for (const report of reports()) this.set({ endpoint: report.name }, value(report))
      },
    })
  const counter = (name: string, help: string, value: (report: EndpointReport) => number) =>
    new Counter({
      ...about(name, help),
      collect() {
        this.reset()
        for (const report of reports()) this.inc({ endpoint: report.name }, value(report))
      },
    })

  gauge('up', 'Whether it is asked.', ({ state }) => (state === 'up' ? 1 : 0))
  gauge('requests_in_flight', 'Requests that it is at.', ({ load }) => load)
  counter('answers_total', 'Requests that it answered.', ({ answers }) => answers)
  counter(
    'answer_seconds_total',
    'From asking it to its answer, summed up.',
    ({ answerMs }) => answerMs / 1000,
  )
  new Counter({
    ...about('faults_total', 'Requests that failed for it, also those answered elsewhere.'),
    labelNames: ['endpoint', 'reason'] as const,
    collect() {
      this.reset()
      for (const { name, faults } of reports())
        for (const [reason, count] of faults) this.inc({ endpoint: name, reason }, count)
    },
  })
}
