/**
 * A cluster as gates meet it: what it wrote last waits in memory and is forgotten by a kill, reads
 * lag, answers get lost, writes land late, and a sweep unpins what it listed before.
 */
import { ClusterFault, type FaultReason } from '../../src/cluster/faults.js'
import type { ClusterPort, Finished, WriteAnswer } from '../../src/ledger/cluster-port.js'
import { type Deadline } from '../../src/time/deadline.js'
import type { SeededRandom } from './seeded-random.js'
import { pinOf, readText, Rejected, type SimulatedPin, writtenText } from './simulated-pin.js'
import type { VirtualTime } from './virtual-time.js'

/** What happens to one write. */
export type WriteFault =
  | { readonly kind: 'answer-lost' | 'error' | 'done-with-error' }
  /** A peer that hangs handles it later than its asker waits; undefined: never. */
  | { readonly kind: 'late'; readonly landsAfterMs: number | undefined }

export type ReadFault = 'error' | 'hung-up' | 'timeout'

type Limit = Pick<Deadline, 'leftMs'>

interface Exchange<T> {
  readonly answer: (value: T) => void
  readonly fail: (reason: FaultReason) => void
}

interface Undo {
  readonly cid: string
  readonly before: SimulatedPin | undefined
}

/** A log in memory; of an ipfs-cluster-service 1.1.6 some 15 to 30 writes, at times more. */
const memtableMax = 64
/** Of a request there, and of its answer back, at most. */
const latencyMs = 4
const sweepMs = 300_000
/** The sweep takes its time. */
const sweepTakesMs = 150_000

export class SimulatedCluster {
  private pins = new Map<string, SimulatedPin>()
  private memtable: Undo[] = []
  /** Writes that are answered and not to be seen yet. */
  private batch: { readonly cid: string; readonly pin: SimulatedPin | undefined }[] = []
  private cancelBatch: (() => void) | undefined
  private generation = 0
  private isRunning = true
  /** As the gate sees it. */
  private isHealthy = true
  private thawAtMs = 0
  private readonly listeners = new Set<() => void>()
  private readonly inFlight = new Set<() => void>()
  /** Writes that have not arrived, whether or not their asker still waits. */
  private readonly arriving = new Set<{ readonly cid: string }>()
  readonly writeFaults: WriteFault[] = []
  readonly readFaults: ReadFault[] = []
  /** 0: every write is seen at once. */
  batchMs = 0
  private kuboStatus: Finished = 'finished'
  /** How often the status of its pins at Kubo changed. */
  kuboChanges = 0
  /** Writes that it applied. */
  written = 0
  private endedMs = Infinity
  private startedMs = -Infinity
  /** Called when a sweep unpins what was renewed since the sweep listed it. */
  onStaleSweep: (cid: string, listedMs: number) => void = () => undefined

  constructor(
    private readonly time: VirtualTime,
    private readonly random: SeededRandom,
  ) {
    this.sweepLater()
  }

  get kubo(): Finished {
    return this.kuboStatus
  }

  set kubo(status: Finished) {
    if (status !== this.kuboStatus) this.kuboChanges++
    this.kuboStatus = status
  }

  get isUp(): boolean {
    return this.isRunning
  }

  /** Until when it was up, by its clock, unless it is up for longer than this now. */
  upUntil(ms: number): number {
    const now = this.time.true()
    return this.isRunning && this.startedMs <= now - ms ? now : this.endedMs
  }

  /** Whether there are writes that are answered and not to be seen. */
  get isLagging(): boolean {
    return this.batch.length > 0
  }

  /** The pin in its state, the same for every reader. */
  get(cid: string): SimulatedPin | undefined {
    return this.pins.get(cid)
  }

  all(): ReadonlyMap<string, SimulatedPin> {
    return this.pins
  }

  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    this.startedMs = this.time.true()
    this.noticed()
  }

  /** In order: everything is written to its disk. */
  stop(): void {
    this.commitBatch()
    this.memtable = []
    this.end()
  }

  /** @param forgets how many of the last writes; those of a batch are gone in any case */
  kill(forgets: number): void {
    this.cancelBatch?.()
    this.batch = []
    this.cancelBatch = undefined
    for (let count = 0; count < forgets; count++) {
      const undo = this.memtable.pop()
      if (undo === undefined) break
      this.set(undo.cid, undo.before)
    }
    this.memtable = []
    this.end()
  }

  /** CIDs that a kill may bring back. */
  unpinsNotOnDisk(): string[] {
    const told = this.told()
    const written = [...this.memtable, ...this.batch].map(({ cid }) => cid)
    return [...new Set(written)].filter((cid) => !told.has(cid))
  }

  /** As all will see it once the batch is committed. */
  told(): ReadonlyMap<string, SimulatedPin> {
    const pins = new Map(this.pins)
    for (const { cid, pin } of this.batch)
      if (pin === undefined) pins.delete(cid)
      else pins.set(cid, pin)
    return pins
  }

  /** CIDs of writes that may still land. */
  onTheWay(): ReadonlySet<string> {
    return new Set(Array.from(this.arriving, ({ cid }) => cid))
  }

  /** A peer under SIGSTOP: what arrives is handled later, in any order. */
  freeze(ms: number): void {
    this.thawAtMs = Math.max(this.thawAtMs, this.time.monotonic() + ms)
  }

  /** By hand, beside every gate. */
  byHand(cid: string, pin: SimulatedPin | undefined): void {
    this.mutate(cid, pin)
  }

  /** `state export` */
  exported(): ReadonlyMap<string, SimulatedPin> {
    return new Map(this.pins)
  }

  /** `state import`, while it is stopped; without a state it is wiped. */
  import(state: ReadonlyMap<string, SimulatedPin> = new Map()): void {
    this.memtable = []
    this.pins = new Map(state)
  }

  /** All faults end. */
  heal(): void {
    this.writeFaults.length = 0
    this.readFaults.length = 0
    this.batchMs = 0
    this.thawAtMs = 0
    this.kubo = 'finished'
    this.commitBatch()
  }

  readonly port: ClusterPort = {
    read: (cid, deadline) =>
      this.asked(deadline, this.readFaults.shift(), () => {
        const pin = this.pins.get(cid)
        return { text: pin && readText(pin), dateMs: Math.floor(this.time.true() / 1000) * 1000 }
      }),
    write: (method, path, deadline) => this.write(method, path, deadline),
    urls: () => ['http://cluster:9094'],
    peers: async () => ['12D3KooWSimulated'],
    readState: async (take) => {
      const fault = this.readFaults.shift()
      const isCut = fault === 'hung-up'
      const limit = { leftMs: 30_000 }
      const lines = await this.asked(limit, isCut ? undefined : fault, () =>
        Array.from(this.pins.values(), readText),
      )
      const shown = isCut ? this.random.below(lines.length + 1) : lines.length
      for (const line of lines.slice(0, shown)) await take(Buffer.from(line))
      if (isCut) throw new ClusterFault('cluster-cut')
    },
    isFinished: (cid, deadline) =>
      this.asked(deadline, this.readFaults.shift(), () =>
        this.pins.has(cid) ? this.kubo : ('unfinished' as const),
      ),
    isAvailable: () => this.isHealthy,
    onDisconnect: (call) => {
      this.listeners.add(call)
    },
  }

  private write(method: string, target: string, deadline: Limit): Promise<WriteAnswer> {
    const fault = this.writeFaults.shift()
    const [path = '', query = ''] = target.split('?')
    return this.exchange(deadline.leftMs, ({ answer, fail }) => {
      const arriveMs = fault?.kind === 'late' ? fault.landsAfterMs : this.arrival()
      if (arriveMs === undefined) return
      const sent = { cid: cidOf(path) }
      this.arriving.add(sent)
      this.whileRunning(arriveMs, () => {
        this.arriving.delete(sent)
        const applied = fault?.kind === 'error' ? serverError : this.apply(method, path, query)
        if (fault?.kind === 'answer-lost') fail('cluster-hung-up')
        else
          this.whileRunning(this.delay(), () => {
            answer(fault?.kind === 'done-with-error' ? serverError : applied)
          })
      })
    })
  }

  private asked<T>(deadline: Limit, fault: ReadFault | undefined, value: () => T): Promise<T> {
    return this.exchange(deadline.leftMs, ({ answer, fail }) => {
      if (fault === 'timeout') return
      this.whileRunning(this.arrival(), () => {
        const read = value()
        this.whileRunning(this.delay(), () => {
          if (fault === undefined) answer(read)
          else fail(fault === 'error' ? 'cluster-bad-answer' : 'cluster-hung-up')
        })
      })
    })
  }

  private exchange<T>(timeoutMs: number, begin: (exchange: Exchange<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const hangUp = () => {
        fail('cluster-hung-up')
      }
      const fail = (reason: FaultReason) => {
        end()
        reject(new ClusterFault(reason))
      }
      const answer = (value: T) => {
        end()
        resolve(value)
      }
      if (!this.isRunning) {
        this.later(1, () => {
          fail('cluster-unreachable')
        })
      }
      const cancel = this.later(Math.max(1, timeoutMs), () => {
        fail('cluster-timeout')
      })
      const end = () => {
        cancel()
        this.inFlight.delete(hangUp)
      }
      if (!this.isRunning) return
      this.inFlight.add(hangUp)
      begin({ answer, fail })
    })
  }

  /** What a run of the cluster has not done when it ends, it never does. */
  private whileRunning(ms: number, call: () => void): void {
    const { generation } = this
    this.later(ms, () => {
      if (generation === this.generation) call()
    })
  }

  private apply(method: string, path: string, query: string): WriteAnswer {
    this.written++
    const cid = cidOf(path)
    if (method === 'DELETE') {
      const pin = this.pins.get(cid)
      if (pin === undefined) return answerOf(404, 'pin is not part of the pinset')
      this.submit(cid, undefined)
      return { status: 200, text: readText(pin) }
    }
    try {
      const pin = pinOf(path, query, this.time.true())
      this.submit(cid, pin)
      return { status: 200, text: writtenText(pin) }
    } catch (error) {
      if (error instanceof Rejected) return answerOf(500, error.message)
      throw error
    }
  }

  private submit(cid: string, pin: SimulatedPin | undefined): void {
    if (this.batchMs === 0 && this.batch.length === 0) {
      this.mutate(cid, pin)
      return
    }
    this.batch.push({ cid, pin })
    this.cancelBatch ??= this.later(this.batchMs, () => {
      this.commitBatch()
    })
  }

  private commitBatch(): void {
    this.cancelBatch?.()
    this.cancelBatch = undefined
    for (const { cid, pin } of this.batch.splice(0)) this.mutate(cid, pin)
  }

  private mutate(cid: string, pin: SimulatedPin | undefined): void {
    this.memtable.push({ cid, before: this.pins.get(cid) })
    if (this.memtable.length > memtableMax) this.memtable.shift()
    this.set(cid, pin)
  }

  private set(cid: string, pin: SimulatedPin | undefined): void {
    if (pin === undefined) this.pins.delete(cid)
    else this.pins.set(cid, pin)
  }

  private end(): void {
    if (this.isRunning) this.endedMs = this.time.true()
    this.isRunning = false
    this.thawAtMs = 0
    this.generation++
    this.arriving.clear()
    for (const hangUp of [...this.inFlight]) hangUp()
    for (const listener of this.listeners) this.later(this.random.next() * 5, listener)
    this.noticed()
  }

  /** The gate's circuit breaker and its health probe take their time. */
  private noticed(): void {
    this.later(this.random.next() * 1000, () => {
      if (this.isHealthy === this.isRunning) return
      this.isHealthy = this.isRunning
      for (const listener of this.listeners) listener()
    })
  }

  private sweepLater(): void {
    this.later(sweepMs, () => {
      this.sweepLater()
      if (!this.isRunning) return
      const now = this.time.true()
      const takesMs = this.random.is(0.7) ? 2000 : sweepTakesMs
      for (const { cid, expiresMs } of this.pins.values()) {
        if (expiresMs > now) continue
        const listedMs = this.time.monotonic()
        this.whileRunning(this.random.next() * takesMs, () => {
          const pin = this.pins.get(cid)
          if (pin === undefined) return
          this.submit(cid, undefined)
          if (pin.expiresMs > this.time.true()) this.onStaleSweep(cid, listedMs)
        })
      }
    })
  }

  private arrival(): number {
    const frozenMs = this.thawAtMs - this.time.monotonic()
    return this.delay() + (frozenMs > 0 ? frozenMs + this.random.next() * 20 : 0)
  }

  private delay(): number {
    return 0.2 + this.random.next() * latencyMs
  }

  private later(ms: number, call: () => void): () => void {
    return this.time.setTimer(ms, call)
  }
}

const cidOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

const answerOf = (status: number, message: string): WriteAnswer => ({
  status,
  text: `${JSON.stringify({ code: status, message })}\n`,
})

const serverError = answerOf(500, 'context deadline exceeded')
