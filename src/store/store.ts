/**
 * The store of several gates, a Valkey or Redis that may be down at any time: a request waits for
 * it only up to a bound, and after several faults the gate does not use it until it answers again.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Redis, RedisOptions } from 'ioredis'
import { CircuitBreaker, type HealthChange } from '../health/circuit-breaker.js'
import type { Config } from '../settings/schema/schema.js'
import type { StoreSecrets } from '../settings/files/secrets.js'
import {
  storeErrorCode,
  StoreFault,
  type StoreFaultReason,
  storeFaultReasonOf,
} from './store-fault.js'
import type { Logger } from '../log/logger.js'
import type { StoreReport } from './store-metrics.js'
import { clock, setTimer } from '../time/clock.js'

/**
 * Keys: the peers of the namespace's cluster, the secret. ARGV: a new secret, and the peers of this
 * gate's cluster. Without peers it only reads.
 */
export const claimScript = `
local peers = {unpack(ARGV, 2)}
if #peers == 0 then return {false, false} end
local isOwn = redis.call('EXISTS', KEYS[1]) == 0
for _, peer in ipairs(peers) do
  isOwn = isOwn or redis.call('SISMEMBER', KEYS[1], peer) == 1
end
if not isOwn then return {false, redis.call('SRANDMEMBER', KEYS[1])} end
redis.call('SADD', KEYS[1], unpack(peers))
redis.call('SET', KEYS[2], ARGV[1], 'NX')
return {redis.call('GET', KEYS[2]), false}
`

type Claimed = readonly [secret: string | null, owner: string | null]

export type StoreSettings = Config['store']

export interface StoreParts {
  readonly settings: StoreSettings & { readonly redis: string }
  readonly secrets: StoreSecrets
  /** For the log. */
  readonly log: Logger
  /** An unconnected client; absent: one of `settings.redis`. */
  readonly client?: Redis
}

// One error for all: creating one is costly, as it records its stack.
const unavailable = new StoreFault('store-unavailable')

const healthSettings = { intervalMs: 5000, failuresMax: 3, slowStartMs: 0 }

/** Between attempts to connect. */
const reconnectMs = 1000
const connectTimeoutMs = 2000

export class Store {
  /** A secret that only the gates share, to hash what strangers choose. */
  private shared: string | undefined
  private readonly counts = { faults: 0, skipped: 0 }
  private readonly onDown = new Set<() => void>()
  private readonly health: CircuitBreaker<StoreFaultReason>
  private lastFault = 'connection-closed'
  private isAnswering = false
  private isLogged = false
  /** Peer IDs of the cluster; undefined: still unknown, so the gate shares nothing. */
  private peers: readonly string[] | undefined
  /** A peer of the cluster that owns the namespace; undefined: no other cluster owns it. */
  private foreignPeer: string | undefined
  private isClosing = false

  private constructor(
    private readonly parts: StoreParts,
    readonly redis: Redis,
  ) {
    redis.options.retryStrategy = () => (this.isClosing ? null : reconnectMs)
    this.health = new CircuitBreaker({
      ...healthSettings,
      ...clock,
      check: () => this.look(),
      onChange: (change) => {
        this.changed(change)
      },
    })
    // Changes of the state log the fault once.
    this.redis.on('error', (error) => this.sawFault(error))
    this.redis.on('ready', () => void this.learn())
    this.redis.on('close', () => {
      this.shared = undefined
      if (this.isClosing || this.health.state === 'down') return
      this.health.recordFailure(this.health.begin(), 'store-hung-up')
    })
  }

  /** Resolves when the store answers, or after its time limit. */
  static async open(parts: StoreParts): Promise<Store> {
    const store = new Store(parts, parts.client ?? (await clientOf(parts)))
    // A store may accept the connection and never answer.
    const connecting = store.redis.connect().catch(() => undefined)
    const tooLate = new Promise<void>((resolve) => {
      setTimer(connectTimeoutMs, resolve)
    })
    await Promise.race([connecting, tooLate])
    if (!(await store.look())) store.goDown()
    return store
  }

  get isUp(): boolean {
    return this.shared !== undefined && this.health.isAvailable
  }

  /** Whether the gate refuses requests while the store is down. */
  private get isStrict(): boolean {
    return this.parts.settings.failMode === 'closed'
  }

  /** Hashes what strangers choose, such as addresses. */
  get secret(): string {
    return this.shared ?? ''
  }

  get report(): StoreReport {
    const { isUp, isStrict, counts, lastFault: fault, isAnswering } = this
    if (isUp) return { isUp, isRefusing: false, ...counts }
    const down = { isUp, isRefusing: isStrict, ...counts }
    if (!this.health.isAvailable || (this.peers !== undefined && !this.isAnothers))
      return { ...down, problem: isAnswering ? 'errors' : 'silence', fault }
    return { ...down, problem: this.isAnothers ? 'namespace' : 'cluster' }
  }

  get secretKey(): string {
    return this.key('secret')
  }

  /** The peers of the cluster that owns the namespace. */
  get clusterKey(): string {
    return this.key('{gates}', 'cluster')
  }

  /** One of them is among those, as long as the namespace is this cluster's. */
  get ownPeers(): readonly string[] {
    return this.peers ?? []
  }

  /**
   * Names the cluster of this gate: a namespace belongs to the first cluster that took it.
   * @param peers IDs; undefined: still unknown, and the gate shares nothing
   */
  async claim(peers: readonly string[] | undefined): Promise<void> {
    this.peers = peers
    this.shared = undefined
    if (this.redis.status === 'ready') await this.learn()
  }

  /**
   * Peers of the cluster that owns the namespace; empty: none does yet. Claims nothing.
   * @returns undefined: the store does not answer
   */
  async owner(): Promise<readonly string[] | undefined> {
    return this.inTime(this.redis.smembers(this.clusterKey)).catch(() => undefined)
  }

  /** Whether the namespace is known to be another cluster's. */
  get isAnothers(): boolean {
    return this.foreignPeer !== undefined
  }

  /**
   * Takes the namespace for the cluster, unless it is another's; the first gate generates the
   * secret, and all use it. One atomic step of the store, so that two clusters never both take it.
   * Called again when the store has lost its secret, or to whom the namespace belongs.
   *
   * @returns whether the store answered
   */
  async learn(): Promise<boolean> {
    const { peers = [] } = this
    const keys = [this.clusterKey, this.secretKey]
    const own = randomBytes(16).toString('hex')
    try {
      const answer = this.redis.eval(claimScript, 2, ...keys, own, ...peers) as Promise<Claimed>
      const [secret, owner] = await this.inTime(answer)
      this.shared = peers.length === 0 || peers !== this.peers ? undefined : (secret ?? undefined)
      if (peers === this.peers) this.seeOwner(owner ?? undefined)
      return true
    } catch (error) {
      // The gate itself may have given up the connection, because of what came before.
      if (storeFaultReasonOf(error) !== 'store-hung-up') this.sawFault(error)
      this.shared = undefined
      return false
    }
  }

  key(...parts: readonly string[]): string {
    return [this.parts.settings.namespace, ...parts].join(':')
  }

  /** Calls back when the store goes down: locks in it may be lost. */
  whenDown(call: () => void): void {
    this.onDown.add(call)
  }

  /** @returns undefined when the store is down, too slow, or answers with an error */
  async ask<Answer>(command: () => Promise<Answer>): Promise<Answer | undefined> {
    const answer = await this.answerOrFault(command)
    return answer instanceof StoreFault ? undefined : answer
  }

  /** The same, for a request of a client. @throws StoreFault where the settings refuse it then */
  async askForRequest<Answer>(command: () => Promise<Answer>): Promise<Answer | undefined> {
    const answer = await this.answerOrFault(command)
    if (!(answer instanceof StoreFault)) return answer
    if (this.isStrict) throw answer
    return undefined
  }

  private async answerOrFault<Answer>(
    command: () => Promise<Answer>,
  ): Promise<Answer | StoreFault> {
    if (!this.isUp) {
      this.counts.skipped++
      return unavailable
    }
    const generation = this.health.begin()
    try {
      const answer = await this.inTime(command())
      this.health.recordSuccess()
      return answer
    } catch (error) {
      this.counts.faults++
      const reason = this.sawFault(error)
      this.health.recordFailure(generation, reason)
      // Not the error itself: it contains the command with its arguments.
      return new StoreFault(reason, new Error(this.lastFault))
    }
  }

  /**
   * A new password or authority applies to the next connection. Where other settings of the store
   * wait for a restart, so do these, as they belong together.
   */
  take(settings: StoreSettings, secrets: StoreSecrets): void {
    if (!isDeepStrictEqual(settings, this.parts.settings)) return
    Object.assign(this.redis.options, secretOptions(this.parts.settings, secrets))
  }

  close(): void {
    this.isClosing = true
    this.health.close()
    this.redis.disconnect()
  }

  private async look(): Promise<boolean> {
    const { redis } = this
    const isHealthy = redis.status === 'ready' && (await this.learn())
    // Ends waiting calls on a connection that hangs; another one may be better.
    if (!isHealthy && ['ready', 'connect'].includes(redis.status)) redis.disconnect(true)
    return isHealthy
  }

  private sawFault(error: unknown): StoreFaultReason {
    const reason = storeFaultReasonOf(error)
    this.lastFault = storeErrorCode(error)
    this.isAnswering = reason === 'store-refused'
    return reason
  }

  private seeOwner(owner: string | undefined): void {
    const { log, settings } = this.parts
    const before = this.foreignPeer
    this.foreignPeer = owner
    if (owner !== undefined && owner !== before)
      log('error', { namespace: settings.namespace, peer: owner }, anotherCluster)
  }

  /** An answer that arrived while this process was busy is not too late. */
  private inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const tooLate = () => {
        reject(new StoreFault('store-timeout'))
      }
      // Node reads sockets after timers and before immediates.
      const clock = globalThis.setTimeout(
        () => setImmediate(tooLate),
        this.parts.settings.timeoutMs,
      )
      answer.then(resolve, reject).finally(() => {
        clearTimeout(clock)
      })
    })
  }

  private goDown(): void {
    this.health.requestCheck(this.health.begin())
  }

  private changed({ state, downMs = 0 }: HealthChange<StoreFaultReason>): void {
    const { log } = this.parts
    if (state === 'down' && !this.isLogged) {
      this.isLogged = true
      log('warn', { reason: this.lastFault }, this.isStrict ? strictWords : openWords)
      for (const call of this.onDown) call()
    }
    if (state === 'up') {
      this.isLogged = false
      log(
        'info',
        { downMs: Math.round(downMs) },
        'the store came back; limits and locks are shared',
      )
    }
  }
}

const anotherCluster = 'the namespace of the store belongs to another cluster; nothing is shared'

const openWords = 'the store went down; limits and locks are of this gate alone until it is back'

const strictWords = 'the store went down; requests are refused until it is back'

async function clientOf(parts: StoreParts): Promise<Redis> {
  // Most gates have no store, and save 10 MB of memory.
  const { Redis } = await import('./redis-client.js')
  return new Redis(parts.settings.redis, optionsOf(parts))
}

function optionsOf({ settings, secrets }: StoreParts) {
  const { username } = settings
  return {
    lazyConnect: true,
    connectionName: 'pinwarden',
    connectTimeout: connectTimeoutMs,
    // No command waits for a store that is down, and a lost command is not repeated.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    ...(username !== undefined && { username }),
    ...secretOptions(settings, secrets),
  }
}

const secretOptions = (
  { redis }: StoreParts['settings'],
  { password, ca }: StoreSecrets,
): Pick<RedisOptions, 'password' | 'tls'> => ({
  ...(password !== undefined && { password }),
  ...(redis.startsWith('rediss:') && { tls: { ...(ca !== undefined && { ca }) } }),
})
