/** Whoever changes a pin has it to himself, from reading its record until it is written. */
import { LockTimeout } from './lock-timeout.js'

/** Ends a turn. */
export type Release = () => void

export class Turns {
  private readonly tails = new Map<string, Promise<void>>()

  /**
   * Waits for all who came before.
   *
   * @throws LockTimeout when it takes longer
   */
  async take(cid: string, timeoutMs: number): Promise<Release> {
    const before = this.tails.get(cid)
    let end: Release = () => undefined
    const own = new Promise<void>((resolve) => (end = resolve))
    this.tails.set(cid, own)
    const release = (): void => {
      if (this.tails.get(cid) === own) this.tails.delete(cid)
      end()
    }
    if (before === undefined) return release
    let clock: NodeJS.Timeout | undefined
    const tooLate = new Promise<'too late'>((resolve) => {
      clock = setTimeout(resolve, timeoutMs, 'too late')
    })
    const outcome = await Promise.race([before, tooLate])
    clearTimeout(clock)
    if (outcome === undefined) return release
    // Those behind wait for who is before.
    void before.then(release)
    throw new LockTimeout()
  }
}
