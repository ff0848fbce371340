/** Samples of the daemon's memory and descriptors: a row for each tenth of the run, and growth. */
import { setTimeout } from 'node:timers/promises'
import { table } from '../../src/cli/text-table.js'
import type { SoakDaemon } from './daemon.js'
import type { Ledger } from './ledger.js'

const growthMax = { share: 0.15, bytes: 15e6 }
const everyMs = 1000

export class ResourceSamples {
  private readonly rows: string[][] = []
  private readonly samples: number[] = []
  private readonly startMs = performance.now()
  private last = { ms: performance.now(), asked: 0 }
  private faults: ReadonlyMap<string, number> = new Map()
  private tenths = 0

  constructor(
    private readonly daemon: SoakDaemon,
    private readonly ledger: Ledger,
    /** From 0 to 1. */
    private readonly progress: () => number,
  ) {}

  /** @param isWarm whether memory is held against itself from now on */
  async watch(isWarm: boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (isWarm) this.samples.push(this.daemon.rssBytes())
      await this.mark()
      await setTimeout(everyMs, undefined, { signal }).catch(() => undefined)
    }
    await this.mark()
  }

  /** What grew, in words; undefined: memory is flat. */
  growth(): { readonly text: string; readonly isFlat: boolean } {
    const quarter = Math.max(1, Math.floor(this.samples.length / 4))
    const first = median(this.samples.slice(0, quarter))
    const last = median(this.samples.slice(-quarter))
    const isFlat = last - first <= Math.max(growthMax.bytes, first * growthMax.share)
    const text = `${mb(first)} MB in the first quarter after the warm-up, ${mb(last)} in the last`
    return { text, isFlat }
  }

  print(): string {
    const answers = ['OK', 'REFUSED', '429', 'FAILED', 'CUT']
    return table(
      [
        ...['REQUESTS', 'SECONDS', 'PER S', 'RSS MB', 'HEAP MB', 'FDS', ...answers],
        'FAULTS SINCE THE ROW ABOVE',
      ],
      this.rows,
    )
  }

  private async mark(): Promise<void> {
    const tenths = Math.floor(this.progress() * 10)
    if (tenths <= this.tenths) return
    this.tenths = tenths
    const { ledger, daemon, last } = this
    const metrics = await daemon.metrics()
    const ms = performance.now()
    const { asked } = ledger
    const perSecond = ((asked - last.asked) * 1000) / (ms - last.ms)
    const faults = metrics.by('pinwarden_faults_total', 'reason')
    const { ok, refused, limited, failed, cut } = ledger.counts
    this.rows.push(
      [
        ...[asked, Math.round((ms - this.startMs) / 1000), Math.round(perSecond)],
        ...[mb(daemon.rssBytes()), mb(metrics.sum('nodejs_heap_size_used_bytes'))],
        ...[daemon.descriptors(), ok, refused, limited, failed, cut],
        newFaults(this.faults, faults),
      ].map(String),
    )
    this.last = { ms, asked }
    this.faults = faults
  }
}

const mb = (bytes: number): string => (bytes / 1e6).toFixed(1)

function newFaults(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string {
  return [...now]
    .map(([reason, count]) => [reason, count - (before.get(reason) ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason.replace('cluster-', '')} ${count}`)
    .join(', ')
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
