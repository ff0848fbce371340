/** Makes the daemon change many pins, in batches; reports how far it got, whatever ends it. */
import { setTimeout } from 'node:timers/promises'
import { KeyedCounter } from '../../collections/keyed-counter.js'
import type { Done } from '../../admin/control-changes.js'
import type { Config } from '../../settings/schema/schema.js'
import { askControl, ControlFault, sentenceOf } from '../ask-control.js'
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
  /**
   * Whether a fault of one item ends the whole change, so that later items are not begun; else only
   * a fault of all of them does.
   */
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
  const { path, bodyOf, perSecond, before = 0, onDone } = change
  const size = Math.min(batchMax, Math.max(1, Math.ceil(perSecond / stepsPerSecond)))
  const counts = new KeyedCounter()
  const progress = new Progress(io, change.total, before)
  const end = (why: string, last = 'no other change began', hint?: string): CommandError => {
    const goOn = hint === undefined ? change.goOn : `${hint}; then ${change.goOn}`
    return new CommandError(`${why}: ${progress.text}, and ${last}`, goOn)
  }
  const ask = async (batch: readonly T[]): Promise<readonly Done[]> => {
    try {
      return (await askControl(config, 'POST', path, bodyOf(batch))) as readonly Done[]
    } catch (error) {
      if (!(error instanceof ControlFault)) throw error
      const { message, hint, mayHaveActed } = error
      if (mayHaveActed) throw end(message, `the outcome of ${batch.length} more is unknown`, hint)
      throw progress.isFirst ? error : end(message, undefined, hint)
    }
  }
  const keep = async (inOrder: number): Promise<void> => {
    try {
      await onDone?.(before + inOrder)
    } catch (error) {
      if (error instanceof CommandError) throw end(error.message, undefined, error.hint)
      throw error
    }
  }
  const send = async (batch: readonly T[], interrupt: AbortSignal): Promise<void> => {
    const startMs = performance.now()
    const results = await ask(batch)
    const settled = results.filter(({ outcome }) => outcome !== 'not-begun')
    const failures = settled.filter(isFailure)
    const isEnding = failures.length > 0 && (change.endsWithFault || isOfAll(failures, results))
    const stop = results.findIndex(
      (done) => done.outcome === 'not-begun' || (isEnding && isFailure(done)),
    )
    for (const { outcome } of settled) counts.add(outcome)
    for (const text of textsOf(settled, isEnding)) io.stderr.write(`${text}\n`)
    progress.add(settled.length - (isEnding ? failures.length : 0))
    await keep(progress.inOrder(stop === -1 ? results.length : stop))
    if (settled.length < results.length) throw end('the daemon is stopping')
    if (stop !== -1) throw end(sentenceOf(results[stop]?.message ?? 'it failed'))
    const spareMs = (batch.length / perSecond) * 1000 - (performance.now() - startMs)
    if (spareMs > 0)
      await setTimeout(spareMs, undefined, { signal: interrupt }).catch(() => undefined)
    if (interrupt.aborted && !progress.isWhole) throw end('interrupted')
  }
  let batch: T[] = []
  for await (const item of change.items) {
    batch.push(item)
    if (batch.length < size) continue
    await interruptibly((interrupt) => send(batch, interrupt))
    batch = []
  }
  if (batch.length > 0) await interruptibly((interrupt) => send(batch, interrupt))
  progress.end()
  return counts
}

const interrupts = ['SIGINT', 'SIGTERM'] as const

/** The first Ctrl-C or SIGTERM only aborts the signal; the second one ends the process. */
async function interruptibly(act: (interrupt: AbortSignal) => Promise<void>): Promise<void> {
  const interrupt = new AbortController()
  const onInterrupt = (): void => {
    interrupt.abort()
  }
  for (const signal of interrupts) process.once(signal, onInterrupt)
  try {
    await act(interrupt.signal)
  } finally {
    for (const signal of interrupts) process.off(signal, onInterrupt)
  }
}

const isFailure = ({ outcome }: Done): boolean => outcome === 'failed'

/** Whether it is not one pin that is at fault. */
const isOfAll = (failures: readonly Done[], all: readonly Done[]): boolean =>
  (failures.length === all.length && all.length > 1) ||
  failures.some(({ message }) => message?.startsWith('cluster-down'))

/** A line for each pin with a fault; of those that fail with what ends the change, one. */
function textsOf(settled: readonly Done[], isEnding: boolean): readonly string[] {
  const told = new Set<string>()
  return settled.flatMap((done) => {
    const { cid, outcome, message } = done
    if (message === undefined && !faulty.has(outcome)) return []
    const text = sentenceOf(message ?? outcome)
    if (isEnding && isFailure(done) && told.has(text)) return []
    told.add(text)
    return [`${cid}: ${text}`]
  })
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

  get isWhole(): boolean {
    return this.before + this.count === this.total
  }

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
