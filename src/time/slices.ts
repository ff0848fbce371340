/** Long work in steps: a daemon does other work between them, and a command runs them in a row. */
import { setImmediate } from 'node:timers/promises'

/** Each `yield` is a pause; of `long`, before a step that takes long and has no pauses. */
export type SlicedWork<T> = Generator<typeof long | undefined, T>

export const long = 'long'

/** Size of one step: for encoders, about 2 ms on a slow machine. */
export const sliceSize = 200

/** Maps all of them, with a pause after each slice. */
export function* inSlices<T, R>(all: readonly T[], map: (one: T) => R): SlicedWork<R[]> {
  const results: R[] = []
  for (const one of all) {
    results.push(map(one))
    if (results.length % sliceSize === 0) yield
  }
  return results
}

export function atOnce<T>(steps: SlicedWork<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/**
 * One step in each turn of the event loop.
 *
 * @param beforeLong may throw instead
 */
export async function unhurried<T>(steps: SlicedWork<T>, beforeLong?: () => void): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (step.value === long) beforeLong?.()
    await setImmediate()
  }
}
