/** One cluster, gates with their disks and what they share, and the encoders that ask them. */
import { leasePrefix, readLease, readToken } from '../../src/leases/lease.js'
import { generatedCid } from '../support/fake-cluster/index.js'
import { Clients } from './clients.js'
import type { Command } from './commands.js'
import type {
  GateParts,
  OpenGate,
  PlannedRelease,
  SimulatedEncoder,
  SimulatedSettings,
} from './gate-port.js'
import { lateMsMax, ReferenceModel, type Violation } from './reference-model.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedCluster } from './simulated-cluster.js'
import { SimulatedDisk } from './simulated-disk.js'
import { SimulatedHost, type Surroundings } from './simulated-host.js'
import { pinOf, type SimulatedPin } from './simulated-pin.js'
import { SimulatedStore } from './simulated-store.js'
import { VirtualTime } from './virtual-time.js'

/** How the parts of a gate are broken, for the proof that the simulation notices. */
export type Break = (parts: GateParts) => GateParts

export interface WorldParts {
  readonly seed: number
  readonly openGate: OpenGate
  readonly breakParts?: Break | undefined
  readonly encoders: number
  /** Gates that write the cluster; several share a store. */
  readonly gates: number
  /** `limits.leases` of the last encoder. */
  readonly leasesMax: number
}

/** Long enough for every doubt to end, and every write that is late to land. */
const calmMs = 2_400_000
const planMsMax = 60_000

/** What a gate assumes that clocks differ by. */
const clocksMs = 60_000

/** The same in all worlds, as creating them is expensive. */
const cids: string[] = []

/** A text for people: CIDs are long. */
export const withShortCids = (text: string): string =>
  text.replaceAll(/\bQm\w{44}\b/g, (cid) => `cid${cids.indexOf(cid)}`)

/** After these no change of a pin takes long, so none waits long for its lock. */
const undelayed: ReadonlySet<string> = new Set([
  ...['pin', 'unpin', 'plan', 'apply', 'packet-fault', 'store-start', 'store-lose', 'batching'],
])

/** What stands in the history in other words. */
const loggedElsewhere: ReadonlySet<string> = new Set([
  ...['pin', 'unpin', 'plan', 'apply', 'gate-stop', 'gate-start'],
])

export class World implements Surroundings {
  readonly time = new VirtualTime()
  readonly model: ReferenceModel
  readonly history: string[] = []
  readonly settings: SimulatedSettings
  readonly cluster: SimulatedCluster
  /** Undefined: there is one gate, which needs none. */
  readonly store: SimulatedStore | undefined
  readonly failMode: 'open' | 'closed'
  readonly hosts: readonly SimulatedHost[]
  readonly violations: Violation[] = []
  private readonly clients: Clients
  private backup: ReadonlyMap<string, SimulatedPin> | undefined
  /** Whether the store had any fault since the last calm. */
  isStoreDisturbed = false
  /** Whether anything happened so far that holds up a change. */
  mayWait = false
  /** Ids of ledgers that are gone for good, of which an operator has still to tell. */
  private lostGates: string[] = []
  private plans = new Map<string, readonly PlannedRelease[]>()
  /** The slowest commit of a disk so far. */
  slowestMs = 0
  /** The ledger is a copy, or a new one: it does not know all that there was. */
  untrusted: 'ledger-lost' | 'ledger-restored' | undefined

  /** The host's clock, for a while. */
  wasClockWrong = false

  constructor(parts: WorldParts) {
    const random = new SeededRandom(parts.seed)
    this.cluster = new SimulatedCluster(this.time, random.fork())
    this.cluster.onStaleSweep = (cid, listedMs) => {
      if (this.untrusted === 'ledger-lost') this.model.swept(cid, listedMs)
    }
    const disk = new SimulatedDisk(this.time, random.fork())
    const encoders = Array.from({ length: parts.encoders }, (_, index) => ({
      name: `encoder-${index}`,
      leaseId: `lease${index}`,
      keyId: 'k1',
      keyDigest: `digest-${index}-1`,
      leasesMax: index === parts.encoders - 1 ? parts.leasesMax : Infinity,
    }))
    this.settings = { encoders, graceSeconds: 0 }
    this.clients = new Clients(this)
    const { gates } = parts
    this.model = new ReferenceModel(gates)
    this.store = gates > 1 ? new SimulatedStore(this.time, random.fork()) : undefined
    this.hosts = Array.from({ length: gates }, (_, index) => {
      const own = index === 0 ? disk : new SimulatedDisk(this.time, random.fork())
      return new SimulatedHost(index, own, this, parts, random.fork())
    })
    this.failMode = random.of(['open', 'closed'])
  }

  get isUndisturbed(): boolean {
    return !this.model.hadHands && this.untrusted === undefined
  }

  /** The gate that a balancer picks: the next one that runs. */
  gateFrom(index: number): SimulatedHost | undefined {
    const count = this.hosts.length
    return this.hosts.map((_, n) => this.host((index + n) % count)).find(({ gate }) => gate)
  }

  private host(index = 0): SimulatedHost {
    const host = this.hosts[index]
    if (host === undefined) throw new Error(`there is no gate ${index}`)
    return host
  }

  /** Runs an episode; stops at the first violation. @returns how many commands were run */
  async run(commands: readonly Command[], isFirst: boolean): Promise<number> {
    const restore = this.time.install()
    try {
      if (isFirst) for (const host of this.hosts) await host.start()
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

  private async act(action: Command): Promise<void> {
    if (!undelayed.has(action.kind)) this.mayWait = true
    const { cluster, store, time, model } = this
    if (action.kind.startsWith('store-') || action.kind === 'packet-fault')
      this.isStoreDisturbed = true
    if (!loggedElsewhere.has(action.kind))
      this.note(JSON.stringify({ ...action, afterMs: undefined }))
    switch (action.kind) {
      case 'pin':
        this.clients.pin(action)
        return
      case 'unpin':
        this.clients.unpin(action)
        return
      case 'gate-stop':
        await this.stopGate(action.gate ?? 0)
        return
      case 'gate-start':
        await this.host(action.gate).start()
        return
      case 'plan':
      case 'apply':
        await this.usePlan(action.kind, this.encoder(action.encoder), action.gate ?? 0)
        return
      case 'take-down':
        await this.takeDown(this.cid(action.cid), action.gate ?? 0)
        return
      case 'gate-kill':
        this.killGate(action.gate ?? 0)
        return
      case 'cluster-kill':
        this.killCluster(action.forgets)
        return
      case 'power-cut':
        this.killGate(action.gate ?? 0)
        this.killCluster(action.forgets)
        this.disk(action).reboot()
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
        this.disk(action).isFull = true
        return
      case 'disk-slow':
        this.disk(action).slowMs = action.ms
        this.slowestMs = Math.max(this.slowestMs, action.ms)
        return
      case 'disk-heal':
        this.disk(action).heal()
        return
      case 'disk-copy':
        this.disk(action).copy()
        return
      case 'disk-lost':
        this.killGate(action.gate ?? 0)
        this.lostGates.push(this.disk(action).lose())
        this.untrusted = 'ledger-lost'
        model.ledgerLost(
          time.monotonic(),
          cluster.upUntil(lateMsMax),
          (...lease) => this.hasLease(...lease),
          (cid) => cluster.get(cid) !== undefined,
        )
        return
      case 'disk-restore':
        this.killGate(action.gate ?? 0)
        if (!this.disk(action).restore()) return
        this.untrusted = 'ledger-restored'
        model.ledgerRestored(cluster.told(), time.true(), cluster.onTheWay())
        return
      case 'clock':
        time.aheadMs = action.aheadMs
        this.wasClockWrong ||= action.aheadMs !== 0
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
      case 'packet-fault':
        store?.packetFaults.push(action.fault)
        return
      case 'store-pause':
        store?.pause(action.ms)
        return
      case 'store-kill':
        store?.kill()
        return
      case 'store-start':
        store?.start()
        return
      case 'store-lose':
        store?.loseKeys(action.share)
        return
      case 'store-refuse':
        if (store !== undefined) store.isReadOnly = true
        return
      case 'store-heal':
        store?.heal()
        return
    }
  }

  private disk({ gate }: { readonly gate?: number | undefined }): SimulatedDisk {
    return this.host(gate).disk
  }

  encoder(index: number): SimulatedEncoder {
    const encoder = this.settings.encoders[index]
    if (encoder === undefined) throw new Error(`there is no encoder ${index}`)
    return encoder
  }

  private changeEncoder({ kind, encoder: index }: Extract<Command, { encoder: number }>): void {
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
    const isAsked = this.settings.encoders.some(({ leaseId }) => model.isInFlight(cid, leaseId))
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
    const cids = back.flatMap(({ cid, expiresMs }) => (expiresMs === Infinity ? [cid] : []))
    model.returned(cids, this.time.monotonic(), this.time.true())
    cluster.import(state)
  }

  private async usePlan(
    kind: 'plan' | 'apply',
    { leaseId }: SimulatedEncoder,
    index: number,
  ): Promise<void> {
    const { gate } = this.host(index)
    if (gate?.plan === undefined || gate.release === undefined) return
    if (kind === 'plan') {
      const planned = await this.within(gate.plan(leaseId))
      if (planned !== undefined) this.plans.set(leaseId, planned)
      this.note(`a plan of ${leaseId}: ${planned?.map(({ cid }) => cid).join() ?? 'no answer'}`)
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

  private async takeDown(cid: string, index: number): Promise<void> {
    const { gate } = this.host(index)
    const { time } = this
    if (gate === undefined) return
    const isApart = this.hosts.length > 1
    const isKnown = !this.isStoreDisturbed && this.untrusted === undefined
    const isLost = this.model.mayLandUnknown(cid, time.monotonic())
    const isSure = !this.model.isAsked(cid) && !isLost && (!isApart || isKnown)
    const done = await this.within(gate.takeDown(cid))
    this.note(`the take-down of ${cid}: ${done ?? 'no answer'}`)
    // Leases begin at whole seconds. If the cluster does not say its time, clocks may differ.
    const untilMs = Math.max(time.true(), time.wall()) + 1000 + (done === 'done' ? 0 : clocksMs)
    const of = { gate: index, untilMs, isApart }
    this.model.takenDown(cid, (isSure ? done : undefined) ?? 'perhaps', of)
  }

  private async within<T>(promise: Promise<T>): Promise<T | undefined> {
    let value: T | undefined
    let isOver = false
    promise
      .then((given) => (value = given))
      .catch(() => undefined)
      .finally(() => (isOver = true))
    await this.time.runUntil(() => isOver, planMsMax)
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
    const before = cluster.told()
    const unpinned = cluster.unpinsNotOnDisk()
    cluster.kill(forgets)
    model.forgotUnpins(unpinned.filter((cid) => cluster.get(cid) !== undefined))
    const all = new Set([...before.keys(), ...cluster.all().keys()])
    const cids = [...all].filter((cid) => before.get(cid) !== cluster.get(cid))
    if (this.untrusted !== undefined) model.forgotten(this.untrusted, cids)
    model.reverted(cids.filter((cid) => this.isOfLostGate(cid)))
  }

  /** Whether a ledger that is lost wrote a lease of the record that the cluster has now. */
  private isOfLostGate(cid: string): boolean {
    const gateIds = this.hosts.map(({ disk }) => disk.gateId)
    return Object.entries(this.cluster.get(cid)?.metadata ?? {}).some(([key, value]) => {
      const { token = '' } = readLease(key, value)?.lease ?? {}
      const { gateId } = readToken(token) ?? {}
      return gateId !== undefined && !gateIds.includes(gateId)
    })
  }

  private killGate(index: number): void {
    const { behindMs, wasRunning } = this.host(index).kill()
    if (wasRunning) this.gateEnded(index, behindMs)
  }

  private async stopGate(index: number): Promise<void> {
    if (this.host(index).gate === undefined) return
    const killed = await this.host(index).stop()
    if (killed === undefined) this.clients.gateEnded(index)
    else this.gateEnded(index, killed.behindMs)
  }

  private gateEnded(index: number, behindMs: number): void {
    const { isLagging } = this.cluster
    const atMs = this.time.monotonic()
    this.model.gateKilled({ atMs, behindMs, isLagging, gate: index })
    this.clients.gateEnded(index, behindMs)
  }

  /** Everything is well for long enough; then the invariants are checked. */
  private async calm(): Promise<void> {
    const { cluster, time, model } = this
    this.note('calm')
    cluster.start()
    for (const { disk } of this.hosts) disk.heal()
    cluster.heal()
    time.aheadMs = 0
    this.store?.heal()
    for (const host of this.hosts) await host.start()
    await time.runFor(10_000)
    for (const gateId of this.lostGates.splice(0))
      for (const { gate } of this.hosts) if (gate) await this.within(gate.forgetGate(gateId))
    await time.runFor(calmMs)
    this.isStoreDisturbed = false
    const violations = model.check(cluster.all(), time.true())
    for (const { invariant, text } of violations) this.fail(invariant, text)
    this.clients.check()
  }
}
