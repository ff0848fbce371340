/** Sets a timer that does not keep the process alive; tests replace it by their own clock. */

/** @returns cancels the timer */
export type SetTimer = (ms: number, call: () => void) => () => void

export const setTimer: SetTimer = (ms, call) => {
  // Node warns of what was due before.
  const clock = setTimeout(call, Math.max(0, ms)).unref()
  return () => {
    clearTimeout(clock)
  }
}
