/** Long work in steps: a daemon does other work between them, and a command does them at once. */
import { setImmediate } from 'node:timers/promises'

/** Each `yield` is a pause. */
export type SlicedWork<T> = Generator<undefined, T>

/** What one step takes on: of encoders, some 2 ms on a slow machine. */
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

/** One step in each turn of the event loop. */
export async function unhurried<T>(steps: SlicedWork<T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await setImmediate()
  }
}
