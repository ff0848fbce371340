/** Callers that wait until their notes are on disk, in the order of the notes. */

/** For all that was noted up to an order. */
interface NoteWaiter {
  order: number
  readonly promise: Promise<void>
  readonly resolve: () => void
}

/** While the disk takes nothing, the rest wait together with the last of so many. */
const waitersMax = 10_000

export class NoteWaiters {
  private readonly waiters: NoteWaiter[] = []

  /** @param order none that was added before has a later one */
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

  /** @param oldest of what is not on the disk; Infinity: all of it is */
  settle(oldest: number): void {
    const still = this.waiters.findIndex(({ order }) => order >= oldest)
    const settled = this.waiters.splice(0, still === -1 ? this.waiters.length : still)
    for (const { resolve } of settled) resolve()
  }
}
