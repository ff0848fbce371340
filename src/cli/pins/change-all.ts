/** Makes the daemon change many pins, in batches; reports how far it got, whatever ends it. */
import { setTimeout } from 'node:timers/promises'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Done } from '../../admin/control-changes.js'
import type { Config } from '../../settings/schema/schema.js'
import { askControl } from '../ask-control.js'
import type { Io } from '../io.js'
import { CommandError } from '../report.js'

export interface ChangeAll<T> {
  readonly items: AsyncIterable<T> | Iterable<T>
  /** Path of the control socket. */
  readonly path: string
  readonly bodyOf: (items: readonly T[]) => unknown
  /** Maximum number of items per second. */
  readonly perSecond: number
  /** Undefined: it is not known before. */
  readonly total?: number | undefined
  /** How many were done before. */
  readonly before?: number
  /** Called with how many are done, in their order. */
  readonly onDone?: (count: number) => Promise<void>
  /** Whether a fault ends the whole change, so that later items are not begun. */
  readonly endsWithFault: boolean
  /** What to type to continue. */
  readonly goOn: string
}

/** The daemon changes some at once; the command stops between two batches. */
const batchMax = 64

/** Batches a second, at least, so that the pace is even. */
const stepsPerSecond = 10

const progressMs = 5000

/** @throws CommandError when it ended before its end, with how far it came */
export async function changeAll<T>(
  config: Config,
  change: ChangeAll<T>,
  io: Io,
): Promise<KeyedCounter> {
  const { path, bodyOf, perSecond, before = 0, onDone, endsWithFault } = change
  const size = Math.min(batchMax, Math.max(1, Math.ceil(perSecond / stepsPerSecond)))
  const counts = new KeyedCounter()
  const progress = new Progress(io, change.total, before)
  const end = (why: string): CommandError =>
    new CommandError(`${why}: ${progress.text}, and no other change began`, change.goOn)
  const send = async (batch: readonly T[]): Promise<void> => {
    const startMs = performance.now()
    let results: readonly Done[]
    try {
      results = (await askControl(config, 'POST', path, bodyOf(batch))) as readonly Done[]
    } catch (error) {
      if (!(error instanceof CommandError) || progress.isFirst) throw error
      const last = `the outcome of ${batch.length} more is unknown`
      throw new CommandError(`${error.message}; ${progress.text}, ${last}`, change.goOn)
    }
    const stop = results.findIndex(
      ({ outcome }) => outcome === 'not-begun' || (endsWithFault && outcome === 'failed'),
    )
    const settled = results.filter(({ outcome }) => outcome !== 'not-begun')
    const reasons = new Set<string>()
    for (const { cid, outcome, message } of settled) {
      counts.add(outcome)
      if (message === undefined && !faulty.has(outcome)) continue
      // One fault ends the change: of all that failed with it, one is enough.
      if (endsWithFault && outcome === 'failed' && reasons.has(message ?? '')) continue
      if (outcome === 'failed') reasons.add(message ?? '')
      io.stderr.write(`${cid}: ${message ?? outcome}\n`)
    }
    const failed = endsWithFault ? settled.filter(({ outcome }) => outcome === 'failed') : []
    progress.add(settled.length - failed.length)
    await onDone?.(before + progress.inOrder(stop === -1 ? results.length : stop))
    if (results.some(({ outcome }) => outcome === 'not-begun')) throw end('the daemon is stopping')
    if (stop !== -1) throw end(results[stop]?.message ?? 'it failed')
    const spareMs = (batch.length / perSecond) * 1000 - (performance.now() - startMs)
    if (spareMs > 0) await setTimeout(spareMs)
  }
  let batch: T[] = []
  for await (const item of change.items) {
    batch.push(item)
    if (batch.length < size) continue
    await send(batch)
    batch = []
  }
  if (batch.length > 0) await send(batch)
  progress.end()
  return counts
}

/** Named one by one, each with its CID. */
const faulty: ReadonlySet<string> = new Set(['failed', 'bad-cid', 'not-pinned', 'not-a-plain-pin'])

/** A line that is overwritten on a terminal; elsewhere, a new line from time to time. */
class Progress {
  isFirst = true
  private count = 0
  private ordered = 0
  private shownMs = performance.now()

  constructor(
    private readonly io: Io,
    private readonly total: number | undefined,
    private readonly before: number,
  ) {}

  get text(): string {
    const done = this.before + this.count
    return this.total === undefined ? `${done} are done` : `${done} of ${this.total} are done`
  }

  add(count: number): void {
    this.isFirst = false
    this.count += count
    const { isTTY } = this.io.stderr
    const nowMs = performance.now()
    if (nowMs - this.shownMs < (isTTY === true ? progressMs / 20 : progressMs)) return
    this.shownMs = nowMs
    if (isTTY === true) this.redraw(this.text)
    else this.io.stderr.write(`${this.text}\n`)
  }

  private redraw(text: string): void {
    const { stderr } = this.io
    const bare = stderr.bare ?? stderr
    bare.write(`\r\u001b[K${text}`)
  }

  /** @returns how many are done in their order, without a gap */
  inOrder(count: number): number {
    this.ordered += count
    return this.ordered
  }

  end(): void {
    if (this.io.stderr.isTTY === true) this.redraw('')
  }
}

const untouched: ReadonlySet<string> = new Set([
  ...faulty,
  ...['held-already', 'too-many-holders', 'changed-since', 'rejected'],
])

/**
 * Reports the outcomes, and says so if nothing was changed.
 *
 * @param faults outcomes of which one alone makes the command fail
 * @returns the exit code: also 1 if there was something to do, and none of it was done
 */
export function sayEnd(counts: KeyedCounter, faults: readonly string[], io: Io): 0 | 1 {
  const isNothing = [...counts].every(([outcome]) => untouched.has(outcome))
  io.stdout.write(`${countsText(counts)}${isNothing ? ': nothing was changed' : ''}\n`)
  const isInVain = isNothing && counts.of('held-already') === 0
  return isInVain || faults.some((outcome) => counts.of(outcome) > 0) ? 1 : 0
}

/** Such as `4 unpinned, 1 released`. */
export const countsText = (counts: KeyedCounter): string =>
  [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
