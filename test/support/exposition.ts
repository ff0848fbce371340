/** What a registry exposes, series by series, as Prometheus would read it. */
import type { Test } from 'tap'
import type { Registry } from '../../src/metrics/registry.js'

/** The value of a series, spelled as the exposition spells it; undefined: it is not there. */
export async function valueOf(registry: Registry, series: string): Promise<number | undefined> {
  const lines = (await registry.metrics()).split('\n')
  const line = lines.find((line) => line.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

export async function has(
  t: Test,
  registry: Registry,
  expected: Readonly<Record<string, number | undefined>>,
): Promise<void> {
  for (const [series, value] of Object.entries(expected)) {
    t.equal(await valueOf(registry, series), value, series)
  }
}

/** The lines of a metric that has labels. */
export const seriesIn = async (registry: Registry, name: string): Promise<string[]> =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`))
