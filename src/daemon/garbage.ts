/** How much memory garbage takes, in all threads, and when that of the start is collected. */
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { Scheduler } from '../time/scheduler.js'
import { clock, type Timers } from '../time/clock.js'

/** Of the memory in use. */
const garbagePercent = 50

/** An event loop that works less than this is idle. */
const idleShare = 0.05

/** Time between two looks. */
const lookMs = 5000

/**
 * By itself V8 lets a small heap grow fourfold where memory is plenty, and keeps the pages for
 * good.
 */
export function limitGarbage(): void {
  setFlagsFromString(`--heap-growing-percent=${garbagePercent}`)
}

export interface Idling {
  readonly timers: Timers
  /** Share of the time since the last call in which the event loop worked. */
  readonly busyShare: () => number
}

/**
 * Collects the garbage of the start once, as soon as the daemon has been idle for some seconds: a
 * collection holds up all requests for some 40 ms, and a busy daemon collects by itself.
 */
export function collectWhenIdle(
  collect: () => Promise<unknown>,
  { timers, busyShare }: Idling = { timers: clock, busyShare: busySince() },
): void {
  const scheduler = new Scheduler(async () => {
    if (busyShare() > idleShare) return lookMs
    await collect()
    return undefined
  }, timers)
  scheduler.runWithin(lookMs)
}

function busySince(): () => number {
  let before = performance.eventLoopUtilization()
  return () => {
    const { utilization } = performance.eventLoopUtilization(before)
    before = performance.eventLoopUtilization()
    return utilization
  }
}
