/** What the metrics count of a gate's requests: the samples of one metric, as Prometheus reads them. */
import { createMetrics, type MetricsParts } from '../../src/metrics/metrics.js'
import type { AccessLine } from '../../src/gate/record/access-line.js'

/** @returns such as `pinwarden_faults_total{reason="cluster-cut"} 1` */
export async function counted(
  metric: string,
  lines: readonly AccessLine[],
  parts: Partial<MetricsParts> = {},
): Promise<readonly string[]> {
  const metrics = createMetrics({
    ...{ version: 'test', inFlight: () => 0, linesDropped: () => 0 },
    ...parts,
  })
  for (const line of lines) metrics.observe(line)
  const samples = (await metrics.exposition()).split('\n')
  return samples.filter((sample) => sample.startsWith(`${metric}{`))
}
