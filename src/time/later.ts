/** Calls later, without keeping the process alive; tests have a clock of their own in its place. */

/** @returns what takes the call back */
export type Later = (ms: number, call: () => void) => () => void

export const later: Later = (ms, call) => {
  // Node warns of what was due before.
  const clock = setTimeout(call, Math.max(0, ms)).unref()
  return () => {
    clearTimeout(clock)
  }
}
