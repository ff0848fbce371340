/** Time that only the simulation moves: a queue of events, two clocks, and timers on them. */
import type { SetTimer } from '../../src/time/clock.js'

interface Event {
  readonly atMs: number
  readonly order: number
  call: (() => void) | undefined
}

const startMs = Date.UTC(2026, 0, 1)

export class VirtualTime {
  private nowMs = 0
  private order = 0
  private readonly events: Event[] = []
  /** How far the wall clock of the gate's host is ahead of the true time. */
  aheadMs = 0
  /** How many events were run. */
  count = 0

  /** Milliseconds since the simulation began; no fault can step it. */
  readonly monotonic = (): number => this.nowMs
  /** The wall clock of the gate's host. */
  readonly wall = (): number => Math.floor(startMs + this.nowMs + this.aheadMs)
  /** The cluster's clock, and the clients'. */
  readonly true = (): number => Math.floor(startMs + this.nowMs)

  readonly setTimer: SetTimer = (ms, call) => {
    const event = { atMs: this.nowMs + Math.max(0, ms), order: this.order++, call }
    this.push(event)
    return () => {
      ;(event as Event).call = undefined
    }
  }

  /** Runs what is due within so many milliseconds, one event after the other. */
  async runFor(ms: number): Promise<void> {
    await this.runUntil(() => false, ms)
  }

  /** The same, but ends as soon as something is so. @returns whether it is */
  async runUntil(isSo: () => boolean, ms: number): Promise<boolean> {
    const endMs = this.nowMs + ms
    await settled()
    while (!isSo()) {
      const [next] = this.events
      if (next === undefined || next.atMs > endMs) {
        this.nowMs = endMs
        return isSo()
      }
      this.pop()
      if (next.call === undefined) continue
      this.nowMs = next.atMs
      this.count++
      next.call()
      await settled()
    }
    return true
  }

  /**
   * Puts these clocks in the place of Node's until it is called back: what asks for the time past
   * its parts must not bring real time in.
   */
  install(): () => void {
    const { now } = Date
    const { setTimeout: timeout, clearTimeout: clear } = globalThis
    const perf = performance.now.bind(performance)
    Date.now = this.wall
    performance.now = this.monotonic
    globalThis.setTimeout = ((call: (...all: unknown[]) => void, ms = 0, ...all: unknown[]) => {
      const cancel = this.setTimer(ms, () => {
        call(...all)
      })
      const timer = { cancel, unref: () => timer, ref: () => timer }
      return timer
    }) as unknown as typeof setTimeout
    globalThis.clearTimeout = ((timer?: { cancel?: () => void }) =>
      timer?.cancel?.()) as typeof clearTimeout
    return () => {
      Date.now = now
      performance.now = perf
      globalThis.setTimeout = timeout
      globalThis.clearTimeout = clear
    }
  }

  private push(event: Event): void {
    const { events } = this
    let index = events.push(event) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = events[parent]
      if (above === undefined || isBefore(above, event)) break
      events[index] = above
      index = parent
    }
    events[index] = event
  }

  private pop(): void {
    const { events } = this
    const last = events.pop()
    if (last === undefined || events.length === 0) return
    let index = 0
    for (;;) {
      const left = events[2 * index + 1]
      const right = events[2 * index + 2]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (isBefore(last, child)) break
      events[index] = child
      index = 2 * index + (isRight ? 2 : 1)
    }
    events[index] = last
  }
}

const isBefore = (one: Event, other: Event): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)

/** Every promise that can settle has settled. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
