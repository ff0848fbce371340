/** One gate with its disk: it is started, stopped and killed apart from all others. */
import { SharedLocks } from '../../src/store/shared-locks.js'
import { SharedMail } from '../../src/store/shared-mail.js'
import { Store } from '../../src/store/store.js'
import { cutOff, type Life } from './cut-off.js'
import type { GateParts, GateUnderTest, OpenGate, SimulatedSettings } from './gate-port.js'
import type { ReferenceModel, Violation } from './reference-model.js'
import type { SeededRandom } from './seeded-random.js'
import type { SimulatedCluster } from './simulated-cluster.js'
import type { OpenDisk, SimulatedDisk } from './simulated-disk.js'
import type { SimulatedRedis, SimulatedStore } from './simulated-store.js'
import type { VirtualTime } from './virtual-time.js'

/** What all gates have in common. */
export interface Surroundings {
  readonly time: VirtualTime
  readonly cluster: SimulatedCluster
  /** Undefined: this gate alone writes the cluster. */
  readonly store: SimulatedStore | undefined
  readonly failMode: 'open' | 'closed'
  readonly settings: SimulatedSettings
  readonly model: Pick<ReferenceModel, 'unpinnedAgain'>
  note(text: string): void
  fail(invariant: Violation['invariant'], text: string): void
  /** Whether no hand changed anything, and all gates know of each other's writes. */
  readonly isUndisturbed: boolean
  readonly wasClockWrong: boolean
}

export interface HostParts {
  readonly openGate: OpenGate
  readonly breakParts?: ((parts: GateParts) => GateParts) | undefined
}

interface Running extends Life {
  readonly gate: GateUnderTest
  readonly disk: OpenDisk
  readonly shared: Shared | undefined
}

interface Shared {
  readonly redis: SimulatedRedis
  readonly store: Store
}

export interface Ended {
  readonly wasRunning: boolean
  /** How long the oldest row had waited for the disk. */
  readonly behindMs: number
}

const startMsMax = 60_000
const stopMsMax = 30_000

export class SimulatedHost {
  private running: Running | undefined
  private runs = 0

  constructor(
    readonly index: number,
    readonly disk: SimulatedDisk,
    private readonly world: Surroundings,
    private readonly parts: HostParts,
    private readonly random: SeededRandom,
  ) {}

  get gate(): GateUnderTest | undefined {
    return this.running?.gate
  }

  /** What is in flight is lost. */
  kill(): Ended {
    const { running } = this
    if (running === undefined) return { wasRunning: false, behindMs: 0 }
    const { behindMs } = running.disk
    running.isAlive = false
    running.disk.crash()
    endShared(running.shared)
    this.running = undefined
    return { wasRunning: true, behindMs }
  }

  /** @returns how it had to be killed; undefined: it shut down cleanly, or did not run */
  async stop(): Promise<Ended | undefined> {
    const { running, world } = this
    if (running === undefined) return undefined
    this.note('stops in order')
    const state = { isClosed: false }
    const closing = running.gate.close().then(() => running.disk.close())
    void closing.catch(() => undefined).finally(() => (state.isClosed = true))
    await world.time.runUntil(() => state.isClosed, stopMsMax)
    if (this.running !== running) return undefined
    if (!state.isClosed) return this.kill()
    running.isAlive = false
    endShared(running.shared)
    this.running = undefined
    return undefined
  }

  async start(): Promise<void> {
    if (this.running !== undefined) return
    const { world } = this
    const disk = this.disk.open()
    this.note(`starts${disk.contents.isRebooted ? ' after a reboot' : ''}`)
    const life: Life = { isAlive: true }
    const opened: { gate?: GateUnderTest; shared?: Shared | undefined; error?: unknown } = {}
    const open = async (): Promise<void> => {
      opened.shared = await this.openShared(life)
      const parts = cutOff(this.partsFor(disk, opened.shared), life)
      opened.gate = await this.parts.openGate(this.parts.breakParts?.(parts) ?? parts)
    }
    open().catch((error: unknown) => (opened.error = error))
    await world.time.runUntil(() => 'gate' in opened || 'error' in opened, startMsMax)
    const { gate, shared, error } = opened
    if (gate === undefined) {
      life.isAlive = false
      disk.crash()
      endShared(shared)
      // A full disk may keep it from starting.
      if (!this.disk.isFull) world.fail('bug', `the gate does not start: ${String(error)}`)
      return
    }
    this.running = Object.assign(life, { gate, disk, shared })
  }

  private async openShared(life: Life): Promise<Shared | undefined> {
    const { store: server, failMode } = this.world
    if (server === undefined) return undefined
    const redis = server.connect()
    const store = await Store.open({
      settings: {
        ...{ redis: 'redis://store', namespace: 'pinwarden', timeoutMs: 50, failMode },
      },
      secrets: {},
      log: (level, fields, message) => {
        if (life.isAlive && level !== 'info')
          this.note(`log ${level}: ${message} ${logged(fields)}`)
      },
      client: redis.asRedis,
    })
    return { redis, store }
  }

  private partsFor(disk: OpenDisk, shared: Shared | undefined): GateParts {
    const { time, settings, cluster } = this.world
    const runId = `run${String(this.runs++).padStart(5, '0')}`
    const locks = shared && {
      ...{ store: shared.store, gateId: disk.gateId, runId },
      ...{ monotonic: time.monotonic, setTimer: time.setTimer },
      random: () => this.random.next(),
    }
    return {
      storage: disk,
      cluster: cluster.port,
      gateLocks: locks && new SharedLocks(locks),
      onPeers: shared && ((peers) => shared.store.claim(peers)),
      gateMail: shared && new SharedMail(shared.store, disk.gateId),
      now: time.wall,
      monotonic: time.monotonic,
      setTimer: time.setTimer,
      settings,
      log: (level, fields, message) => {
        const isUnpin = /; unpinned again$|released for good$/.test(message)
        if (level !== 'info' || isUnpin) this.note(`log ${level}: ${message} ${logged(fields)}`)
        if (isUnpin && 'cid' in fields)
          this.world.model.unpinnedAgain(String(fields.cid), time.monotonic())
        if (this.isFalseAlarm(message)) this.world.fail('alarm', message)
      },
    }
  }

  private isFalseAlarm(message: string): boolean {
    const { isUndisturbed, wasClockWrong } = this.world
    // By a clock that is behind, what the cluster swept has not run out.
    return isUndisturbed && (isAlarm.test(message) || (!wasClockWrong && message.includes(missing)))
  }

  private note(text: string): void {
    const name = this.world.store === undefined ? 'gate' : `gate ${this.index}`
    this.world.note(text.startsWith('log') ? `${name} ${text}` : `${name}: ${text}`)
  }
}

function endShared(shared: Shared | undefined): void {
  shared?.redis.kill()
  shared?.store.close()
}

/** Log messages about changes from outside the gate. */
const isAlarm = /outside the gate|another writer|had released$/
const missing = 'missing from the cluster'

function logged(fields: object): string {
  const err = 'err' in fields && fields.err instanceof Error ? { err: fields.err.message } : {}
  return JSON.stringify({ ...fields, ...err })
}
