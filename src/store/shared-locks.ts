/**
 * One change of a pin at a time among all gates: a lock with an end (https://redis.io/docs/latest/
 * develop/clients/patterns/distributed-locks/), and beside it what was written last. A lock can be
 * lost, so nobody relies on it alone: who did not have it to the end looks at the pin again.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { LockTimeout } from '../ledger/lock-timeout.js'
import type { GateLock, GateLocks } from '../ledger/gate-locks.js'
import type { Store } from './store.js'

/** A gate whose answer came too late finds a lock of its own: that one it may take over. */
const acquireScript = `
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, #ARGV[1]) ~= ARGV[1] then return {0} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {1, redis.call('GET', KEYS[2])}
`

const releaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[1])
return 1
`

/** As long as a gate remembers its own writes. */
const writtenMs = 300_000

/** A lock outlives the longest change by as much. */
const marginMs = 10_000

/** Between two looks at a lock that is another's: about so long. */
const pollMs = 20

const gateIdChars = 16

export class SharedLocks implements GateLocks {
  private readonly gateId = randomBytes(gateIdChars / 2).toString('hex')
  private count = 0

  constructor(private readonly store: Store) {}

  whenDown(call: () => void): void {
    this.store.whenDown(call)
  }

  async acquire(cid: string, timeoutMs: number): Promise<GateLock | undefined> {
    const { store, gateId } = this
    const keys = [store.key(`{${cid}}`, 'turn'), store.key(`{${cid}}`, 'row')] as const
    const token = `${gateId}${++this.count}`
    const lockMs = Math.ceil(timeoutMs + marginMs)
    const untilMs = performance.now() + timeoutMs
    for (;;) {
      const taken = await store.askForRequest(
        () =>
          store.redis.eval(acquireScript, 2, ...keys, gateId, token, lockMs) as Promise<
            [isTaken: number, written?: string | null]
          >,
      )
      if (taken === undefined) return undefined
      const [isTaken, written] = taken
      if (isTaken === 1) return this.lockOf(keys, token, written ?? '')
      if (performance.now() > untilMs) throw new LockTimeout()
      await setTimeout(pollMs * (0.5 + Math.random()))
    }
  }

  private lockOf(keys: readonly [string, string], token: string, found: string): GateLock {
    const { store, gateId } = this
    const isForeign = found !== '' && !found.startsWith(gateId)
    return {
      written: isForeign ? found.slice(gateIdChars) : undefined,
      release: async (written) => {
        const value = written === undefined ? '' : gateId + written
        const ended = await store.ask(() =>
          store.redis.eval(releaseScript, 2, ...keys, token, value, writtenMs),
        )
        return ended === 1
      },
    }
  }
}
