/** Counters that are plain numbers between scrapes: in the library each count is a lookup. */
import { Counter, type CounterConfiguration, type LabelValues } from '@prometheus-io/client'

export interface Tally {
  inc(by?: number): void
}

export class TalliedCounter<Label extends string> {
  private readonly tallies: Uncollected<Label>[] = []

  constructor(config: CounterConfiguration<Label>) {
    const { tallies } = this
    new Counter({
      ...config,
      collect() {
        for (const tally of tallies) tally.collect(this)
      },
    })
  }

  /** The counter for these labels; look it up once and keep it. */
  labels(labels: LabelValues<Label>): Tally {
    const tally = new Uncollected(labels)
    this.tallies.push(tally)
    return tally
  }
}

/** The count since the last read. */
class Uncollected<Label extends string> implements Tally {
  private count = 0

  constructor(private readonly labels: LabelValues<Label>) {}

  inc(by = 1): void {
    this.count += by
  }

  collect(counter: Counter<Label>): void {
    if (this.count > 0) counter.inc(this.labels, this.count)
    this.count = 0
  }
}
