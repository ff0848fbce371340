/**
 * The store that gates share, as they see it: it may be down, hang, restart empty, lose keys,
 * refuse writes, and a packet to it may be late. One client for each run of a gate.
 */
import type { Redis } from 'ioredis'
import { checkScript, endScript, spendScript, takeScript } from '../../src/store/lock-scripts.js'
import { dropScript, exchangeScript } from '../../src/store/shared-mail.js'
import { claimScript } from '../../src/store/store.js'
import type { SeededRandom } from './seeded-random.js'
import type { VirtualTime } from './virtual-time.js'

type Value = string | Map<string, string>
type Script = (store: SimulatedStore, keys: readonly string[], args: readonly string[]) => unknown

/** Of a packet, at most. */
const latencyMs = 0.5

/** What the store does with the next packet. */
export type PacketFault =
  /** It comes so much later, and with it all behind it. */
  | { readonly kind: 'late'; readonly ms: number }
  /** It is carried out, and the answer comes so much later. */
  | { readonly kind: 'answer-late'; readonly ms: number }

export class SimulatedStore {
  private values = new Map<string, { readonly value: Value; untilMs: number }>()
  private generation = 0
  private readonly clients = new Set<SimulatedRedis>()
  private resumeAtMs = 0
  isUp = true
  /** Memory full, or a replica: writes are errors. */
  isReadOnly = false
  readonly packetFaults: PacketFault[] = []

  constructor(
    readonly time: VirtualTime,
    readonly random: SeededRandom,
  ) {}

  /** With all that it held. */
  kill(): void {
    this.isUp = false
    this.generation++
    this.values = new Map()
    for (const client of this.clients) client.cutOff()
  }

  start(): void {
    this.isUp = true
  }

  /** A store that is under SIGSTOP, or whose network is gone: what comes waits. */
  pause(ms: number): void {
    this.resumeAtMs = Math.max(this.resumeAtMs, this.time.monotonic() + ms)
  }

  /** It had to make room, or a hand deleted some. */
  loseKeys(share: number): void {
    for (const key of [...this.values.keys()]) if (this.random.is(share)) this.values.delete(key)
  }

  heal(): void {
    this.isUp = true
    this.isReadOnly = false
    this.resumeAtMs = 0
    this.packetFaults.length = 0
  }

  connect(): SimulatedRedis {
    const client = new SimulatedRedis(this)
    this.clients.add(client)
    return client
  }

  forget(client: SimulatedRedis): void {
    this.clients.delete(client)
  }

  get(key: string): Value | undefined {
    const found = this.values.get(key)
    if (found === undefined || found.untilMs > this.time.monotonic()) return found?.value
    this.values.delete(key)
    return undefined
  }

  text(key: string): string | null {
    const value = this.get(key)
    return typeof value === 'string' ? value : null
  }

  set(key: string, value: Value, ms = Infinity): void {
    if (this.isReadOnly) throw Object.assign(new Error('OOM'), { name: 'ReplyError' })
    this.values.set(key, { value, untilMs: this.time.monotonic() + ms })
  }

  del(key: string): void {
    this.values.delete(key)
  }

  hash(key: string): Map<string, string> {
    const value = this.get(key)
    return value instanceof Map ? value : new Map<string, string>()
  }

  /** Runs a command once its packet has come. @returns cannot be had when the store ended before */
  carryOut<T>(arriveMs: number, run: () => T, done: (result: T | Error) => void): void {
    const { generation, time } = this
    time.setTimer(arriveMs, () => {
      if (generation !== this.generation || !this.isUp) return
      const pausedMs = this.resumeAtMs - time.monotonic()
      if (pausedMs > 0) {
        this.carryOut(pausedMs + this.random.next(), run, done)
        return
      }
      let result: T | Error
      try {
        result = run()
      } catch (error) {
        result = error as Error
      }
      done(result)
    })
  }

  delay(): number {
    return 0.05 + this.random.next() * latencyMs
  }
}

/** As much of the client as the store's code uses. */
export class SimulatedRedis {
  status: 'wait' | 'ready' | 'reconnecting' | 'end' = 'wait'
  readonly options: { retryStrategy?: () => number | null } = {}
  private readonly listeners = new Map<string, ((error?: Error) => void)[]>()
  private readonly inFlight = new Set<(error: Error) => void>()
  /** A connection is in order: what is sent later comes later, and so do the answers. */
  private lastArrivalMs = 0
  private lastAnswerMs = 0
  private isDead = false

  constructor(private readonly store: SimulatedStore) {}

  /** What the program takes it for. */
  get asRedis(): Redis {
    return this as unknown as Redis
  }

  on(event: string, call: (error?: Error) => void): void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), call])
  }

  async connect(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.store.time.setTimer(this.store.delay(), resolve)
    })
    if (this.isDead) return
    if (!this.store.isUp) {
      this.reconnectLater()
      throw new Error('ECONNREFUSED')
    }
    this.status = 'ready'
    this.emit('ready')
  }

  disconnect(isForReconnect = false): void {
    const wasReady = this.status === 'ready'
    this.status = isForReconnect ? 'reconnecting' : 'end'
    this.hangUp()
    if (!isForReconnect) this.store.forget(this)
    if (wasReady) this.emit('close')
    if (isForReconnect) this.reconnectLater()
  }

  /** The store ended. */
  cutOff(): void {
    if (this.status !== 'ready') return
    this.status = 'reconnecting'
    this.hangUp()
    this.emit('close')
    this.reconnectLater()
  }

  /** The gate was killed: it reads no more, and packets in flight still arrive. */
  kill(): void {
    this.isDead = true
    this.listeners.clear()
    this.inFlight.clear()
    this.store.forget(this)
    this.status = 'end'
  }

  eval(script: string, count: number, ...given: readonly (string | number)[]): Promise<unknown> {
    const texts = given.map(String)
    const [keys, args] = [texts.slice(0, count), texts.slice(count)]
    return this.send(() => {
      const run = scripts.get(script)
      if (run === undefined) throw new Error('the simulation does not know this script')
      return run(this.store, keys, args)
    })
  }

  private send<T>(run: () => T): Promise<T> {
    const { store } = this
    return new Promise((resolve, reject) => {
      if (this.status !== 'ready') {
        reject(new Error('Connection is closed.'))
        return
      }
      this.inFlight.add(reject)
      const fault = store.packetFaults.shift()
      const nowMs = store.time.monotonic()
      const lateMs = fault?.kind === 'late' ? fault.ms : 0
      this.lastArrivalMs = Math.max(this.lastArrivalMs, nowMs + store.delay() + lateMs)
      store.carryOut(this.lastArrivalMs - nowMs, run, (result) => {
        const doneMs = store.time.monotonic()
        const answerMs = store.delay() + (fault?.kind === 'answer-late' ? fault.ms : 0)
        this.lastAnswerMs = Math.max(this.lastAnswerMs, doneMs + answerMs)
        store.time.setTimer(this.lastAnswerMs - doneMs, () => {
          if (!this.inFlight.delete(reject)) return
          if (result instanceof Error) reject(result)
          else resolve(result)
        })
      })
    })
  }

  private hangUp(): void {
    for (const reject of [...this.inFlight]) reject(new Error('Connection is closed.'))
    this.inFlight.clear()
    Object.assign(this, { lastArrivalMs: 0, lastAnswerMs: 0 })
  }

  private reconnectLater(): void {
    const ms = this.isDead ? null : (this.options.retryStrategy?.() ?? null)
    if (ms === null) return
    this.status = 'reconnecting'
    this.store.time.setTimer(ms, () => {
      if (this.status !== 'reconnecting' || this.isDead) return
      if (!this.store.isUp) this.reconnectLater()
      else {
        this.status = 'ready'
        this.emit('ready')
      }
    })
  }

  private emit(event: string): void {
    for (const call of this.listeners.get(event) ?? []) call()
  }
}

/** A change that may still land. */
const addTo = (
  store: SimulatedStore,
  key: string,
  [field, token]: readonly [string, string],
  ms: number,
): void => {
  const fields = store.hash(key)
  store.set(key, fields, ms)
  fields.set(field, `${token}/${Math.ceil((store.time.monotonic() + ms) / 1000)}`)
}

/** The same as the scripts of Lua do. */
const scripts: ReadonlyMap<string, Script> = new Map<string, Script>([
  [
    claimScript,
    (store, [cluster = '', secret = ''], [own = '', ...peers]) => {
      if (peers.length === 0) return [null, null]
      const known = store.hash(cluster)
      const isOwn = known.size === 0 || peers.some((peer) => known.has(peer))
      if (!isOwn) return [null, [...known.keys()][0]]
      store.set(cluster, new Map([...known, ...peers.map((peer) => [peer, '1'] as const)]))
      store.set(secret, store.get(secret) ?? own)
      return [store.text(secret), null]
    },
  ],
  [
    takeScript,
    (store, [lock = '', row = '', open = '', ended = '', secret = ''], args) => {
      const [gateId = '', token = '', lockMs = '', openMs = '', known, leases = ''] = args
      if (store.text(secret) !== known) return [2]
      if (store.get(ended) !== undefined) return [0]
      const held = store.text(lock)
      if (held !== null && !held.startsWith(gateId)) return [0]
      const nowMs = store.time.monotonic()
      const changes = store.hash(open)
      for (const [field, change] of changes)
        if (Number(change.split('/')[1]) < Math.floor(nowMs / 1000)) changes.delete(field)
      store.set(lock, token, Number(lockMs))
      addTo(store, open, [token, leases], Number(openMs))
      return [1, store.text(row), [...store.hash(open)].flat()]
    },
  ],
  [
    endScript,
    (store, [lock = '', row = '', open = '', ended = ''], [token = '', written = '', ...rest]) => {
      const [rowMs = '', lockMs = '', openMs = '', isOver = '', leases = '', gateId = ''] = rest
      const isAlone = store.text(lock) === token
      if (isAlone) {
        if (written !== '') store.set(row, written, Number(rowMs))
        store.del(lock)
      } else store.set(ended, '1', Number(lockMs))
      const changes = store.hash(open)
      changes.delete(token)
      const known = changes.get(gateId)?.split('/')[0] ?? ''
      const number = (text: string): number => Number(text.split('.')[1] ?? -1)
      const last = number(known) > number(leases) ? known : leases
      if (isOver !== '1') addTo(store, open, [gateId, last], Number(openMs))
      else if (changes.size === 0) store.del(open)
      return [isAlone ? 1 : 0, [...store.hash(open)].flat()]
    },
  ],
  [
    spendScript,
    (store, [key = ''], [max = '', ms = '', ...cids]) => {
      const spent = store.hash(key)
      const all = new Map([...spent, ...cids.map((cid) => [cid, '1'] as const)])
      if (all.size > Number(max)) return 0
      // The end stays that of the first.
      if (spent.size === 0) store.set(key, all, Number(ms))
      else for (const cid of cids) spent.set(cid, '1')
      return 1
    },
  ],
  [
    checkScript,
    (store, keys, marks) =>
      keys.map((key, at) => {
        const row = store.text(key)
        return row === null ? 0 : row.includes(marks[at] ?? '') ? 1 : 2
      }),
  ],
  [
    exchangeScript,
    (
      store,
      [secret = '', cluster = '', states = '', own = '', ...others],
      [gateId = '', state = '', ...rest],
    ) => {
      const shared = store.text(secret)
      const [mails, peers] = [rest.slice(0, others.length), rest.slice(others.length)]
      const isOwn = peers.some((peer) => store.hash(cluster).has(peer))
      if (shared === null || !isOwn) return []
      const put = (key: string, value: string): void => {
        store.set(key, new Map([...store.hash(key), [gateId, value]]))
      }
      put(states, state)
      for (const [index, key] of others.entries()) put(key, mails[index] ?? '')
      return [shared, [...store.hash(states)].flat(), [...store.hash(own)].flat()]
    },
  ],
  [
    dropScript,
    (store, [states = '', ...mails], gateIds) => {
      for (const gateId of gateIds) store.hash(states).delete(gateId)
      for (const key of mails) store.del(key)
    },
  ],
])
