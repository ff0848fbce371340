/** One change of a CID at a time, from reading the record until it is written. */
import type { Deadline } from '../time/deadline.js'
import type { SetTimer } from '../time/clock.js'

/** A change waited too long for the lock of its CID; the cluster is not at fault. */
export class LockTimeout extends Error {
  override readonly name = 'LockTimeout'
  readonly reason = 'lock-timeout'

  constructor() {
    super('another change of this pin did not end in time')
  }
}

/** Releases a lock. */
export type Release = () => void

export class CidLocks {
  private readonly tails = new Map<string, Promise<void>>()

  constructor(private readonly setTimer: SetTimer) {}

  /**
   * Waits for all earlier callers.
   * @throws LockTimeout when it takes longer
   */
  async acquire(cid: string, deadline: Deadline): Promise<Release> {
    const before = this.tails.get(cid)
    let end: Release = () => undefined
    const own = new Promise<void>((resolve) => (end = resolve))
    this.tails.set(cid, own)
    const release = (): void => {
      if (this.tails.get(cid) === own) this.tails.delete(cid)
      end()
    }
    if (before === undefined) return release
    const { promise: tooLate, resolve } = Promise.withResolvers<'too late'>()
    const cancel = this.setTimer(deadline.leftMs, () => {
      resolve('too late')
    })
    const outcome = await Promise.race([before, tooLate])
    cancel()
    if (outcome === undefined) return release
    // Later callers then wait for the earlier ones.
    void before.then(release)
    throw new LockTimeout()
  }
}
