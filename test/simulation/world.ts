/** One cluster, one disk, one gate at a time, and the encoders that ask it. */
import { leasePrefix, readLease } from '../../src/leases/lease.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { Clients } from './clients.js'
import { cutOff, type Life } from './cut-off.js'
import type { Action, Command } from './commands.js'
import type {
  GateParts,
  GateUnderTest,
  OpenGate,
  PlannedRelease,
  SimulatedEncoder,
  SimulatedSettings,
} from './gate-port.js'
import { ReferenceModel, type Violation } from './reference-model.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedCluster } from './simulated-cluster.js'
import { type OpenDisk, SimulatedDisk } from './simulated-disk.js'
import { pinOf, type SimulatedPin } from './simulated-pin.js'
import { VirtualTime } from './virtual-time.js'

/** How the parts of a gate are broken, for the proof that the simulation notices. */
export type Break = (parts: GateParts) => GateParts

export interface WorldParts {
  readonly seed: number
  readonly openGate: OpenGate
  readonly breakParts?: Break | undefined
  readonly encoders: number
  /** `limits.leases` of the last encoder. */
  readonly leasesMax: number
}

/** Long enough for every doubt to end, and every write that is late to land. */
const calmMs = 2_400_000
const startMsMax = 60_000
const stopMsMax = 30_000

/** The same in all worlds; making them is dear. */
const cids: string[] = []

/** A text for people: CIDs are long. */
export const withShortCids = (text: string): string =>
  text.replaceAll(/\bQm\w{44}\b/g, (cid) => `cid${cids.indexOf(cid)}`)

/** What stands in the history in other words. */
const toldElsewhere: ReadonlySet<string> = new Set([
  ...['pin', 'unpin', 'plan', 'apply', 'gate-stop', 'gate-start'],
])

interface Running extends Life {
  readonly gate: GateUnderTest
  readonly disk: OpenDisk
}

export class World {
  readonly time = new VirtualTime()
  readonly model = new ReferenceModel()
  readonly history: string[] = []
  readonly settings: SimulatedSettings
  readonly cluster: SimulatedCluster
  readonly disk: SimulatedDisk
  readonly violations: Violation[] = []
  private readonly clients: Clients
  private running: Running | undefined
  private backup: ReadonlyMap<string, SimulatedPin> | undefined
  private plans = new Map<string, readonly PlannedRelease[]>()
  /** The ledger is a copy, or a new one: it does not know all that there was. */
  untrusted: 'ledger-lost' | 'ledger-restored' | undefined

  constructor(private readonly parts: WorldParts) {
    const random = new SeededRandom(parts.seed)
    this.cluster = new SimulatedCluster(this.time, random.fork())
    this.disk = new SimulatedDisk(this.time, random.fork())
    const encoders = Array.from({ length: parts.encoders }, (_, index) => ({
      name: `encoder-${index}`,
      leaseId: `lease${index}`,
      keyId: 'k1',
      keyDigest: `digest-${index}-1`,
      leasesMax: index === parts.encoders - 1 ? parts.leasesMax : Infinity,
    }))
    this.settings = { encoders, graceSeconds: 0 }
    this.clients = new Clients(this)
  }

  get gate(): GateUnderTest | undefined {
    return this.running?.gate
  }

  /** Runs an episode; stops at the first violation. @returns how many commands were run */
  async run(commands: readonly Command[], isFirst: boolean): Promise<number> {
    const restore = this.time.install()
    try {
      if (isFirst) await this.startGate()
      let count = 0
      for (const command of commands) {
        await this.time.runFor(command.afterMs)
        await this.act(command)
        count++
        if (this.violations.length > 0) return count
      }
      await this.calm()
      return count
    } finally {
      restore()
    }
  }

  note(text: string): void {
    this.history.push(`${this.stamp()} ${text}`)
  }

  fail(invariant: Violation['invariant'], text: string): void {
    this.violations.push({ invariant, text })
    this.note(`VIOLATION ${invariant}: ${text}`)
  }

  cid(index: number): string {
    let cid = cids[index]
    if (cid === undefined) cids[index] = cid = generatedCid(index)
    return cid
  }

  private stamp(): string {
    const seconds = (this.time.monotonic() / 1000).toFixed(3)
    return seconds.padStart(11)
  }

  private async act(action: Action): Promise<void> {
    const { cluster, disk, time, model } = this
    if (!toldElsewhere.has(action.kind))
      this.note(JSON.stringify({ ...action, afterMs: undefined }))
    switch (action.kind) {
      case 'pin':
        this.clients.pin(action)
        return
      case 'unpin':
        this.clients.unpin(action)
        return
      case 'gate-stop':
        await this.stopGate()
        return
      case 'gate-start':
        await this.startGate()
        return
      case 'plan':
      case 'apply':
        await this.usePlan(action.kind, this.encoder(action.encoder))
        return
      case 'gate-kill':
        this.killGate()
        return
      case 'cluster-kill':
        this.killCluster(action.forgets)
        return
      case 'power-cut':
        this.killGate()
        this.killCluster(action.forgets)
        disk.reboot()
        return
      case 'cluster-stop':
        if (cluster.isUp) cluster.stop()
        return
      case 'cluster-start':
        cluster.start()
        return
      case 'write-fault':
        if (cluster.isUp) cluster.writeFaults.push(action.fault)
        return
      case 'read-fault':
        if (cluster.isUp) cluster.readFaults.push(action.fault)
        return
      case 'freeze':
        if (cluster.isUp) cluster.freeze(action.ms)
        return
      case 'batching':
        cluster.batchMs = action.ms
        return
      case 'kubo':
        cluster.kubo = action.status
        return
      case 'disk-full':
        disk.isFull = true
        return
      case 'disk-slow':
        disk.slowMs = action.ms
        return
      case 'disk-heal':
        disk.heal()
        return
      case 'disk-copy':
        disk.copy()
        return
      case 'disk-lost':
        this.killGate()
        disk.lose()
        this.untrusted = 'ledger-lost'
        model.ledgerLost(
          time.monotonic(),
          time.true(),
          (...lease) => this.hasLease(...lease),
          (cid) => cluster.get(cid) !== undefined,
        )
        return
      case 'disk-restore':
        this.killGate()
        if (!disk.restore()) return
        this.untrusted = 'ledger-restored'
        model.ledgerRestored(cluster.all(), time.true())
        return
      case 'clock':
        time.aheadMs = action.aheadMs
        return
      case 'hand-remove':
      case 'hand-add':
        this.byHand(this.cid(action.cid), action.kind)
        return
      case 'export':
        if (cluster.isUp) this.backup = cluster.exported()
        return
      case 'import':
      case 'wipe':
        this.importState(action.kind === 'wipe' ? new Map() : this.backup)
        return
      case 'rotate-key':
      case 'rename':
        this.changeEncoder(action)
        return
      case 'grace':
        this.settings.graceSeconds = action.seconds
        return
    }
  }

  encoder(index: number): SimulatedEncoder {
    const encoder = this.settings.encoders[index]
    if (encoder === undefined) throw new Error(`there is no encoder ${index}`)
    return encoder
  }

  private changeEncoder({ kind, encoder: index }: Extract<Action, { encoder: number }>): void {
    const encoder = this.encoder(index)
    const [, number = '1'] = /(\d+)$/.exec(kind === 'rename' ? encoder.name : encoder.keyId) ?? []
    const next = Number(number) + 1
    const changed =
      kind === 'rename'
        ? { ...encoder, name: `encoder-${index}-${next}` }
        : { ...encoder, keyId: `k${next}`, keyDigest: `digest-${index}-${next}` }
    this.settings.encoders = this.settings.encoders.with(index, changed)
    if (kind !== 'rename') this.model.revoked(encoder.keyDigest)
  }

  private byHand(cid: string, kind: 'hand-remove' | 'hand-add'): void {
    const { cluster, model } = this
    const isAsked = this.settings.encoders.some(({ leaseId }) => model.isUnderWay(cid, leaseId))
    if (!cluster.isUp || isAsked) return
    model.byHand(cid)
    const pin = kind === 'hand-add' ? pinOf(cid, 'name=by-hand', this.time.true()) : undefined
    cluster.byHand(cid, pin)
  }

  private importState(state: ReadonlyMap<string, SimulatedPin> | undefined): void {
    const { cluster, model } = this
    if (state === undefined || cluster.isUp) return
    const before = cluster.exported()
    for (const cid of new Set([...before.keys(), ...state.keys(), ...model.cids()]))
      model.byHand(cid)
    const back = [...state.values()].filter(({ cid }) => !before.has(cid))
    // What has an end is swept.
    model.returned(back.flatMap(({ cid, expiresMs }) => (expiresMs === Infinity ? [cid] : [])))
    cluster.import(state)
  }

  private async usePlan(kind: 'plan' | 'apply', { leaseId }: SimulatedEncoder): Promise<void> {
    const { gate } = this
    if (gate?.plan === undefined || gate.release === undefined) return
    if (kind === 'plan') {
      const planned = await this.within(gate.plan(leaseId))
      if (planned !== undefined) this.plans.set(leaseId, planned)
      for (const { cid } of planned ?? []) this.model.planned(cid, leaseId)
      return
    }
    const plan = this.plans.get(leaseId) ?? []
    this.plans.delete(leaseId)
    this.note(`apply the plan of ${leaseId}: ${plan.length} leases`)
    for (const planned of plan) {
      this.model.releasing(planned.cid, leaseId, this.untrusted !== undefined)
      const isReleased = await this.within(gate.release(planned))
      this.model.operatorReleased(planned.cid, leaseId, isReleased)
    }
  }

  private async within<T>(promise: Promise<T>): Promise<T | undefined> {
    let value: T | undefined
    let isOver = false
    promise
      .then((given) => (value = given))
      .catch(() => undefined)
      .finally(() => (isOver = true))
    await this.time.runUntil(() => isOver, startMsMax)
    return value
  }

  private hasLease(cid: string, leaseId: string, untilMs: number): boolean {
    const pin = this.cluster.get(cid)
    const key = leasePrefix + leaseId
    const value = pin?.metadata[key]
    const lease = value === undefined ? undefined : readLease(key, value)?.lease
    return pin !== undefined && lease !== undefined && lease.untilMs >= untilMs
  }

  private killCluster(forgets: number): void {
    const { cluster, model } = this
    if (!cluster.isUp) return
    model.clusterKilled(this.time.monotonic())
    const before = cluster.exported()
    cluster.kill(forgets)
    if (this.untrusted === undefined) return
    const cids = new Set([...before.keys(), ...cluster.all().keys()])
    model.forgotten(
      this.untrusted,
      [...cids].filter((cid) => before.get(cid) !== cluster.get(cid)),
    )
  }

  private killGate(): void {
    const { running } = this
    if (running === undefined) return
    const { behindMs } = running.disk
    running.isAlive = false
    running.disk.crash()
    this.running = undefined
    this.model.gateKilled(this.time.monotonic(), behindMs, this.cluster.isLagging)
    this.clients.gateEnded()
  }

  private async stopGate(): Promise<void> {
    const { running } = this
    if (running === undefined) return
    this.note('gate: stops in order')
    const state = { isClosed: false }
    const closing = running.gate.close().then(() => running.disk.close())
    void closing.catch(() => undefined).finally(() => (state.isClosed = true))
    await this.time.runUntil(() => state.isClosed, stopMsMax)
    if (this.running !== running) return
    if (state.isClosed) {
      running.isAlive = false
      this.running = undefined
      this.clients.gateEnded()
    } else this.killGate()
  }

  private async startGate(): Promise<void> {
    if (this.running !== undefined) return
    const disk = this.disk.open()
    this.note(`gate: starts${disk.contents.isRebooted ? ' after a reboot' : ''}`)
    const life: Life = { isAlive: true }
    const parts = cutOff(this.partsFor(disk), life)
    const opened: { gate?: GateUnderTest; error?: unknown } = {}
    this.parts
      .openGate(this.parts.breakParts?.(parts) ?? parts)
      .then((gate) => (opened.gate = gate))
      .catch((error: unknown) => (opened.error = error))
    await this.time.runUntil(() => 'gate' in opened || 'error' in opened, startMsMax)
    const { gate, error } = opened
    if (gate === undefined) {
      life.isAlive = false
      disk.crash()
      // A disk that takes nothing may keep it from starting.
      if (!this.disk.isFull) this.fail('bug', `the gate does not start: ${String(error)}`)
      return
    }
    this.running = Object.assign(life, { gate, disk })
  }

  private partsFor(disk: OpenDisk): GateParts {
    const { time, settings, cluster } = this
    return {
      storage: disk,
      cluster: cluster.port,
      now: time.wall,
      monotonic: time.monotonic,
      setTimer: time.setTimer,
      settings,
      log: (level, fields, message) => {
        if (level !== 'info') this.note(`log ${level}: ${message} ${logged(fields)}`)
        const isSure = !this.model.hadHands && this.untrusted === undefined
        if (isSure && isAlarm.test(message)) this.fail('alarm', message)
      },
    }
  }

  /** Everything is well for long enough; then the invariants are checked. */
  private async calm(): Promise<void> {
    const { cluster, disk, time, model } = this
    this.note('calm')
    cluster.start()
    disk.heal()
    cluster.heal()
    time.aheadMs = 0
    await this.startGate()
    await time.runFor(calmMs)
    const violations = model.check(cluster.all(), time.true())
    for (const { invariant, text } of violations) this.fail(invariant, text)
    this.clients.check()
  }
}

/** What the log says of other hands. */
const isAlarm = /beside the gate|another hand/

function logged(fields: object): string {
  const err = 'err' in fields && fields.err instanceof Error ? { err: fields.err.message } : {}
  return JSON.stringify({ ...fields, ...err })
}
