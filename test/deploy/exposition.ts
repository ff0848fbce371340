/** What /metrics of a running gate really has: names, and which labels each may carry. */
import type { Test } from 'tap'
import { busyGate } from '../support/busy-gate.js'

/** Metric → its labels, after requests of every kind; histograms by the names of their series. */
export const exposed = async (t: Test): Promise<ReadonlyMap<string, ReadonlySet<string>>> =>
  labelsIn(await busyGate(t))

/** The same, of a text that is there. */
export function labelsIn(exposition: string): ReadonlyMap<string, ReadonlySet<string>> {
  const labels = new Map<string, Set<string>>()
  for (const text of exposition.split('\n')) {
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
