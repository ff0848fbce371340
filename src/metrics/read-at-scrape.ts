/** Gauges and counters that read their owner's values at each scrape. */
import { Counter, Gauge, type LabelValues } from '@prometheus-io/client'
import type { Registry } from './registry.js'

export interface Instrument<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly Label[]
  /** Each scrape calls it, and waits for it. */
  readonly read: () => Scraped<Label> | Promise<Scraped<Label>>
}

/** One number, or one for each set of labels; numbers with equal labels are added up. */
export type Scraped<Label extends string> =
  number | Iterable<readonly [labels: LabelValues<Label>, value: number]>

export function addGauge<Label extends string = never>(
  registry: Registry,
  { read, ...about }: Instrument<Label>,
): void {
  new Gauge({
    ...about,
    registers: [registry],
    async collect() {
      fill(this, await read())
    },
  })
}

/** @param instrument its numbers never fall */
export function addCounter<Label extends string = never>(
  registry: Registry,
  { read, ...about }: Instrument<Label>,
): void {
  new Counter({
    ...about,
    registers: [registry],
    async collect() {
      fill(this, await read())
    },
  })
}

function fill<Label extends string>(
  instrument: Counter<Label> | Gauge<Label>,
  reading: Scraped<Label>,
): void {
  instrument.reset()
  if (typeof reading === 'number') instrument.inc(reading)
  else for (const [labels, value] of reading) instrument.inc(labels, value)
}
