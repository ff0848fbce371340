/** What /metrics of a running gate really has: names, and which labels each may carry. */
import type { Test } from 'tap'
import { createMetrics } from '../../src/metrics/metrics.js'
import { startGate } from '../support/start-gate.js'

const pin = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'

/** Metric → its labels, after requests of every kind; histograms by the names of their series. */
export async function exposed(t: Test): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const gate = await startGate(t)
  await gate.ask('GET', '/id')
  await gate.ask('GET', '/pins')
  await gate.ask('POST', `/pins/${pin}`)
  await gate.ask('DELETE', `/pins/${pin}`)
  await gate.ask('GET', '/id', { headers: { authorization: 'Bearer x' } })
  await gate.cluster.close()
  await gate.ask('POST', `/pins/${pin}`)
  const { endpoints } = gate
  await gate.close()
  const metrics = createMetrics({
    version: 'test',
    inFlight: () => 0,
    linesDropped: () => 0,
    endpoints: () => endpoints,
    unsettled: () => new Map([['alpha', { pending: 1, failing: 1 }]]),
    journal: () => ({ waiting: 1, made: 1, dropped: 1 }),
    store: () => ({ isUp: true, faults: 1, skipped: 1 }),
    fallback: () => ({
      ...{ isAvailable: true, waiting: 1, underWay: 1 },
      ...{ pinned: 1, failed: 1, released: 1 },
      faults: new Map([['fallback-timeout', 1]]),
    }),
  })
  metrics.reloaded(true)
  metrics.certificateExpires(new Date())
  for (const line of gate.lines) metrics.observe(line)
  metrics.settled({ cid: pin, encoder: 'alpha', result: 'pinned', ms: 1, error: '' })
  // A client that leaves at the right moment is not to be had for certain.
  const [line] = gate.lines
  if (line !== undefined) metrics.observe({ ...line, outcome: 'aborted', reason: 'client-left' })

  const labels = new Map<string, Set<string>>()
  for (const text of (await metrics.exposition()).split('\n')) {
    const [, name, given = ''] = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? /i.exec(text) ?? []
    if (name === undefined) continue
    const known = labels.get(name) ?? new Set<string>()
    for (const [, label = ''] of given.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label)
    labels.set(name, known)
  }
  return labels
}

/** Of Prometheus itself: what it adds to every series it scrapes. */
const added = new Set(['job', 'instance'])

/** What a query asks for that is not there, in words. */
export function strangers(
  query: string,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] {
  const bare = query.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  const metrics = [...bare.matchAll(/\b(?:pinwarden|process|nodejs)_\w+/g)].map(([name]) => name)
  const labels = new Set(metrics.flatMap((name) => [...(known.get(name) ?? [])]))
  const named = [
    ...[...bare.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*""/g)].map(([, label = '']) => label),
    ...[...bare.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
      list.split(',').map((label) => label.trim()),
    ),
  ]
  return [
    ...metrics.filter((name) => !known.has(name)).map((name) => `no metric ${name}`),
    ...named
      .filter((label) => !labels.has(label) && !added.has(label))
      .map((label) => `no label ${label}`),
    ...(metrics.length === 0 && !/\bup\b/.test(bare) ? [`no metric in ${query}`] : []),
  ]
}
