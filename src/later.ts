/** Calls later, without keeping the process alive; tests have a clock of their own in its place. */

/** @returns what takes the call back */
export type Later = (ms: number, call: () => void) => () => void

export const later: Later = (ms, call) => {
  const clock = setTimeout(call, ms).unref()
  return () => {
    clearTimeout(clock)
  }
}
