/** Callers that wait until their notes are on disk, in the order of the notes. */

/** Waits for all notes up to an order. */
interface NoteWaiter {
  order: number
  readonly promise: Promise<void>
  readonly resolve: () => void
}

/** While the disk is not writable, further callers share the promise of the last waiter. */
const waitersMax = 10_000

export class NoteWaiters {
  private readonly waiters: NoteWaiter[] = []

  /** @param order no smaller than that of an earlier call */
  add(order: number): Promise<void> {
    const last = this.waiters.at(-1)
    if (last !== undefined && this.waiters.length >= waitersMax) {
      last.order = order
      return last.promise
    }
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const waiter = {
      order,
      promise,
      resolve: () => {
        resolve(undefined)
      },
    }
    this.waiters.push(waiter)
    return promise
  }

  /** @param oldest order of the oldest note that is not on the disk; Infinity: all are on it */
  settle(oldest: number): void {
    const still = this.waiters.findIndex(({ order }) => order >= oldest)
    const settled = this.waiters.splice(0, still === -1 ? this.waiters.length : still)
    for (const { resolve } of settled) resolve()
  }
}
