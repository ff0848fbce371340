/** The clocks of the process; tests and the simulation replace them. */

/** @returns cancels the timer */
export type SetTimer = (ms: number, call: () => void) => () => void

/** Does not keep the process alive. */
export const setTimer: SetTimer = (ms, call) => {
  // Node warns of what was due before.
  const timeout = setTimeout(call, Math.max(0, ms)).unref()
  return () => {
    clearTimeout(timeout)
  }
}

/** How a part reads the time and waits. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** In milliseconds; it never steps. */
  readonly monotonic: () => number
  readonly setTimer: SetTimer
}

/** For a part that does not read the wall clock. */
export type Timers = Pick<Clock, 'monotonic' | 'setTimer'>

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer,
}
