/**
 * The simple model next to the gate: it knows only the answers to clients and which crashes
 * happened, and says what the pinset has to be by it.
 */
import { isSoftDeleted } from '../../src/leases/decide.js'
import { landingMs } from '../../src/ledger/doubt.js'
import { type PinRecord, readPinRecord } from '../../src/leases/pin-record.js'
import { type CrashName, repairs, rowDelayMsMax } from './crash-costs.js'
import { readText, type SimulatedPin } from './simulated-pin.js'

/** What an encoder may hold of a CID: between what is sure and what is possible. */
interface Hold {
  /** Until when it surely holds it, true time; -Infinity: perhaps not at all. */
  minMs: number
  /** Until when it may; -Infinity: it surely does not. */
  maxMs: number
  /** The longest that it may ever have held: what a crash may bring back. */
  everMs: number
  /** The end of a lease that it released, and the gates that may have written that. */
  readonly former: { untilMs: number; writers: ReadonlySet<number> }
  /** When the last POST was answered, by the monotonic clock, and with what. */
  answeredAtMs: number
  answer: 200 | 202 | undefined
  keyDigest: string
  /** The gate whose queue it waits in since its 202: no other gate knows of it. */
  readonly waitsAt: Set<number>
  isInFlight: boolean
  /** Whether it is not known what came of a write, which may take a place until all is well. */
  mayLand: boolean
  /** Which one was asked last. */
  gate: number
  /** Those that wrote it and may owe it. */
  readonly writers: Set<number>
  /** The gate was killed before its row was surely on the disk, and was not well since. */
  isAtRisk: boolean
  /** It was in flight when the pin was taken down: its answer may be of before that. */
  mayPrecede: boolean
  /** The pin was taken down, and other gates may still owe a lease of before. */
  isOfBefore: boolean
  /** How often what was sure of it was given up, such as for an accepted cost. */
  forgiven: number
  /** POSTs with 200 or 202, and the last of them of which a plan may have seen the lease. */
  posts: number
  plannedPosts: number
}

interface Entry {
  readonly holds: Map<string, Hold>
  /**
   * Something outside the gate changed it, or the ledger is a copy: what is there then is not the
   * gate's doing. It stays so, as a cluster that is killed may go back to it.
   */
  isByHand: boolean
  /** Only an operator or an encoder may change it: no repair does. */
  frozen: 'pinned' | 'unpinned' | undefined
  /** Only the ledger knows that it was taken down. */
  isLossy: boolean
  /** It was taken down at a gate, and others may not have heard of it. */
  down: Down | undefined
  /** A hand brought it back together with many others. */
  isReturned: boolean
  /** Unpinned before the cluster showed it: no bound of repairs applies, as it may still appear. */
  unshownMs: number
  /** When a gate last repeated its unpin, by the monotonic clock. */
  unpinnedAgainMs: number
  /** Unpinned, and kept for its retention period until then; true time. */
  keptUntilMs: number
  /** When something was last asked of it, true time. */
  askedMs: number
  /** Until then, by the monotonic clock, a write may land of which no ledger knows any more. */
  unsafeUntilMs: number
}

interface Down {
  /** Undefined: at several. */
  readonly gate: number | undefined
  /** What began by then, true time, counts as of before at other gates. */
  readonly untilMs: number
}

export interface Violation {
  readonly invariant:
    'I1' | 'I2' | 'I3' | 'I5' | 'L22' | 'L28' | 'quota' | 'deadline' | 'answer' | 'alarm' | 'bug'
  readonly text: string
}

/** Of pins that a hand brought back: so many may have been in doubt. */
const doubtedMax = 5

/** A batch takes no longer. */
const batchMsMax = 30_000

/** What clocks may differ by when a lease ends. */
const marginMs = 2000
/** Whether the cluster has a lease, for as long. */
type Has = (cid: string, leaseId: string, untilMs: number) => boolean

/** A write lands no later than this after it was asked for. */
export const lateMsMax = 300_000

/** A sweep every five minutes, and the time that it takes. */
const sweptAfterMs = 480_000

export class ReferenceModel {
  private readonly entries = new Map<string, Entry>()
  private clusterKilledAtMs = -Infinity
  private ledgerLostAtMs = -Infinity
  /** Whether no gate can have repaired yet what the cluster forgot. */
  isCrashUnchecked = false
  private isRestored = false
  /** Costs that were accepted so far, by row of the table. */
  readonly costs = new Map<CrashName, number>()
  /** Whether a hand changed anything: then there may be reports. */
  hadHands = false
  private readonly returnedMax: number
  private readonly isAlone: boolean
  private readonly forgottenUnpins = new Set<string>()

  /** @param gates of one backup several unpin as many together as one does of few */
  constructor(gates: number) {
    this.isAlone = gates === 1
    this.returnedMax = doubtedMax + (gates > 1 ? repairs.returnedMax : 0)
  }

  /** Before the request: its outcome is unknown until {@link answered}. */
  asked(cid: string, leaseId: string, { wanted, nowMs, gate }: Asked): void {
    const entry = this.entry(cid)
    const hold = holdOf(entry, leaseId)
    hold.gate = gate
    entry.askedMs = nowMs
    loosen(entry)
    hold.isInFlight = true
    const untilMs = wanted === 'unpin' ? -Infinity : wanted
    hold.minMs = Math.min(hold.minMs, untilMs)
    hold.maxMs = Math.max(hold.maxMs, untilMs)
    hold.everMs = Math.max(hold.everMs, hold.maxMs)
  }

  /** It may hold it as long as this; what it may rely on is less. */
  possible(cid: string, leaseId: string, untilMs: number): void {
    const hold = holdOf(this.entry(cid), leaseId)
    hold.maxMs = Math.max(hold.maxMs, untilMs)
    hold.everMs = Math.max(hold.everMs, hold.maxMs)
  }

  pinned(cid: string, leaseId: string, answer: Pinned): void {
    const entry = this.entry(cid)
    const hold = holdOf(entry, leaseId)
    hold.isInFlight = false
    hold.writers.add(hold.gate)
    const isUnheard = mayBeUnheard(entry, hold, answer)
    if (isUnheard && answer.untilMs > -Infinity) this.accept('down-elsewhere')
    const isUnsure = answer.atMs < entry.unsafeUntilMs || hold.mayPrecede || isUnheard
    hold.mayPrecede = false
    hold.minMs = isUnsure ? -Infinity : answer.untilMs
    // The gate rounds up, and its clock may be ahead. What waits in a queue shortens nothing.
    const isLast = answer.status === 200 && !waitsElsewhere(hold) && !answer.isApart
    hold.maxMs = isLast ? answer.latestMs : Math.max(hold.maxMs, answer.latestMs)
    // What the cluster forgot of another gate's writes may have made the lease shorter.
    if (answer.isApart) this.mayLengthen(hold)
    if (answer.status === 202) hold.waitsAt.add(hold.gate)
    else if (isLast) hold.waitsAt.clear()
    hold.answeredAtMs = answer.atMs
    hold.answer = answer.status
    hold.isAtRisk = false
    // The gate may have tried a write before it put the pin into the queue.
    hold.mayLand = answer.status === 202
    hold.keyDigest = answer.keyDigest
    hold.posts++
  }

  /**
   * With 200, or the answer was that it does not hold the pin.
   *
   * @param isApart the gate may have released what another one has since written again
   * @param isShown whether the cluster showed the pin before, if the request changed anything
   */
  unpinned(cid: string, leaseId: string, isApart = false, isShown?: boolean): void {
    const entry = this.entry(cid)
    const hold = holdOf(entry, leaseId)
    Object.assign(hold, { isInFlight: false, minMs: -Infinity })
    if (isShown !== undefined) {
      if (!isShown) entry.unshownMs = entry.askedMs
      hold.mayLand = false
    }
    const isElsewhere = [...hold.writers].some((gate) => gate !== hold.gate)
    hold.isOfBefore ||= isElsewhere
    if (waitsElsewhere(hold) || (isApart && isElsewhere)) return
    end(hold)
    Object.assign(hold, { maxMs: -Infinity, answer: undefined })
    // Another gate, which wrote it, may not have heard of that either.
    hold.waitsAt.clear()
    hold.isOfBefore = isElsewhere
  }

  /** Its last holder unpinned it with 200, for a retention period. */
  kept(cid: string, leaseId: string, untilMs: number, atMs: number): void {
    const entry = this.entry(cid)
    const isHeld = [...entry.holds.values()].some(({ maxMs }) => maxMs > -Infinity)
    // A sweep may have listed what was renewed late, and nothing without a lease is repaired.
    const isOld = holdOf(entry, leaseId).answeredAtMs < atMs - sweptAfterMs
    if (!isHeld && isOld) entry.keptUntilMs = untilMs
  }

  /** It was refused, and nothing changed: so it is as it was before. */
  refused(cid: string, leaseId: string, before: Sure): void {
    const hold = holdOf(this.entry(cid), leaseId)
    hold.isInFlight = false
    if (hold.forgiven !== before.forgiven) return
    const { minMs, maxMs, everMs } = before
    Object.assign(hold, { minMs, maxMs, everMs })
  }

  /** It failed, or the gate ended: it may have been done. */
  unknown(cid: string, leaseId: string): void {
    Object.assign(holdOf(this.entry(cid), leaseId), { isInFlight: false, mayLand: true })
  }

  sure(cid: string, leaseId: string): Sure {
    const { minMs, maxMs, everMs, forgiven } = holdOf(this.entry(cid), leaseId)
    return { minMs, maxMs, everMs, forgiven }
  }

  /** Whether it may wait in the queue of a gate, and another one was asked. */
  waitsElsewhere(cid: string, leaseId: string): boolean {
    return waitsElsewhere(holdOf(this.entry(cid), leaseId))
  }

  /** Whether its row may have been lost with the gate that wrote it. */
  isAtRisk(cid: string, leaseId: string): boolean {
    return holdOf(this.entry(cid), leaseId).isAtRisk
  }

  /** Whether what was sure was not given up since. */
  isKept(cid: string, leaseId: string, before: Sure): boolean {
    return holdOf(this.entry(cid), leaseId).forgiven === before.forgiven
  }

  cids(): readonly string[] {
    return [...this.entries.keys()]
  }

  /** The gate ended: no client gets an answer any more. */
  nothingInFlight(gate: number): void {
    for (const { holds } of this.entries.values())
      for (const hold of holds.values()) if (hold.gate === gate) hold.isInFlight = false
  }

  /** An operator's plan saw the lease. */
  planned(cid: string, leaseId: string): void {
    const hold = holdOf(this.entry(cid), leaseId)
    // It may have seen what is done and not yet answered.
    hold.plannedPosts = hold.posts + (hold.isInFlight ? 1 : 0)
  }

  /** The plan is applied: what was not renewed since may go. */
  releasing(cid: string, leaseId: string, isUntrusted: boolean): void {
    const entry = this.entry(cid)
    const hold = holdOf(entry, leaseId)
    loosen(entry)
    if (hold.posts > hold.plannedPosts && !isUntrusted) return
    hold.minMs = -Infinity
    // A request in flight that is refused does not restore it.
    hold.forgiven++
  }

  operatorReleased(cid: string, leaseId: string, isReleased: boolean | undefined): void {
    const hold = holdOf(this.entry(cid), leaseId)
    if (isReleased === true && hold.posts <= hold.plannedPosts && !hold.isInFlight)
      Object.assign(hold, { maxMs: -Infinity, everMs: -Infinity })
  }

  /** Whether a request is in flight: it may come before a take-down, or after it. */
  isAsked(cid: string): boolean {
    return [...this.entry(cid).holds.values()].some(({ isInFlight }) => isInFlight)
  }

  /**
   * An operator took a pin down, or tried to: its holders may hold it no more. What is done is
   * final, unless the ledger is lost before the cluster was asked.
   *
   * @param isApart other gates have to hear of it first, from that ledger alone
   */
  takenDown(
    cid: string,
    done: 'done' | 'waiting' | 'perhaps',
    { gate, untilMs, isApart }: TakenDown,
  ): void {
    const entry = this.entry(cid)
    loosen(entry)
    const holds = [...entry.holds.values()]
    for (const hold of holds) {
      hold.minMs = -Infinity
      hold.mayPrecede = hold.isInFlight
      hold.isOfBefore ||= hold.maxMs > -Infinity
      // A request in flight may read of it.
      hold.forgiven++
    }
    const { down } = entry
    const isSameGate = down === undefined || down.gate === gate
    if (isApart)
      entry.down = {
        gate: isSameGate ? gate : undefined,
        untilMs: Math.max(untilMs, down?.untilMs ?? 0),
      }
    if (done === 'perhaps') return
    for (const hold of holds)
      Object.assign(hold, { maxMs: -Infinity, everMs: -Infinity, answer: undefined })
    Object.assign(entry, { isByHand: false, isLossy: done === 'waiting' || isApart })
  }

  /** Whether a write of a ledger that is lost may still land. */
  mayLandUnknown(cid: string, nowMs: number): boolean {
    return (this.entries.get(cid)?.unsafeUntilMs ?? -Infinity) > nowMs
  }

  isInFlight(cid: string, leaseId: string): boolean {
    return this.entries.get(cid)?.holds.get(leaseId)?.isInFlight === true
  }

  /** How many CIDs it may hold at most. */
  heldMax(leaseId: string, nowMs: number): number {
    const holds = [...this.entries.values()].flatMap(({ holds }) => holds.get(leaseId) ?? [])
    const isHeld = ({ maxMs, mayLand }: Hold): boolean => mayLand || maxMs > nowMs - marginMs
    return holds.filter(isHeld).length
  }

  /** Rows of the last answers may not be on the disk: only the cluster knows of these pins. */
  gateKilled({ atMs, behindMs, isLagging, gate }: GateKill): void {
    const sinceMs = atMs - Math.max(behindMs, rowDelayMsMax)
    for (const { holds } of this.entries.values())
      for (const hold of holds.values()) {
        if (hold.gate !== gate || hold.answer !== 200 || hold.answeredAtMs < sinceMs) continue
        hold.isAtRisk = true
        if (isLagging) this.forgive('gate-lagging', hold)
        // The cluster may have forgotten it since, and no gate has repaired that.
        const isForgotten = this.isCrashUnchecked && this.clusterKilledAtMs >= hold.answeredAtMs
        if (isForgotten) this.forgive(behindMs > rowDelayMsMax ? 'disk-full' : 'both', hold)
      }
    if (this.clusterKilledAtMs >= atMs - rowDelayMsMax) this.forgiveBoth()
  }

  clusterKilled(atMs: number): void {
    this.clusterKilledAtMs = atMs
    this.isCrashUnchecked = true
    for (const entry of this.entries.values()) {
      // Of what was kept only for a while nothing is repaired.
      entry.keptUntilMs = -Infinity
      for (const hold of entry.holds.values()) this.mayLengthen(hold)
    }
    this.forgiveBoth()
  }

  /**
   * It was released or shortened at one gate, and made again at another: neither knows which came
   * later.
   */
  private mayLengthen(hold: Hold): void {
    const isElsewhere = (writers: ReadonlySet<number>): boolean =>
      [...writers].some((gate) => gate !== hold.gate)
    const untilMs = Math.max(
      isElsewhere(hold.former.writers) ? hold.former.untilMs : -Infinity,
      isElsewhere(hold.writers) ? hold.everMs : -Infinity,
    )
    if (hold.maxMs === -Infinity || hold.maxMs >= untilMs) return
    hold.maxMs = untilMs
    this.accept('crash-elsewhere')
  }

  private forgiveBoth(): void {
    for (const { holds } of this.entries.values())
      for (const hold of holds.values()) if (hold.isAtRisk) this.forgive('both', hold)
  }

  /**
   * @param upUntilMs until when the gate had time to verify writes
   * @param has whether the cluster has the lease
   * @param isPinned whether it has the CID: an unpin that it forgot, and no gate repaired, stays
   */
  ledgerLost(atMs: number, upUntilMs: number, has: Has, isPinned: (cid: string) => boolean): void {
    this.ledgerLostAtMs = atMs
    for (const [cid, entry] of this.entries) {
      if ((this.isCrashUnchecked || entry.isLossy) && isPinned(cid)) entry.isByHand = true
      // With several gates, the lease that the cluster has may be one of before.
      const isReverted = this.isCrashUnchecked && !this.isAlone
      const isUnsafe = entry.askedMs > upUntilMs - lateMsMax
      if (isUnsafe) Object.assign(entry, { unsafeUntilMs: atMs + lateMsMax, isByHand: true })
      for (const [leaseId, hold] of entry.holds) {
        const isSure = !isUnsafe && !isReverted && has(cid, leaseId, hold.minMs)
        if (!isSure) this.forgive('ledger-lost', hold)
      }
    }
  }

  /**
   * The ledger is an older copy, which repairs nothing: what there is stays as it is.
   * @param pins also what the run before wrote and the cluster does not show yet
   * @param onTheWay CIDs that it wrote, and that may still land
   */
  ledgerRestored(
    pins: ReadonlyMap<string, SimulatedPin>,
    nowMs: number,
    onTheWay: ReadonlySet<string>,
  ): void {
    this.isRestored = true
    // The other gates write again what a crash took of theirs.
    if (this.isCrashUnchecked && !this.isAlone) return
    for (const [cid, entry] of this.entries) {
      // What was asked for may still be on its way, as may a repair.
      if (entry.askedMs > nowMs - lateMsMax || onTheWay.has(cid)) continue
      const pin = pins.get(cid)
      // What ends soon is swept.
      if (pin === undefined || pin.expiresMs === Infinity)
        entry.frozen = pin === undefined ? 'unpinned' : 'pinned'
    }
  }

  /** What the cluster forgot, of which a new ledger, or one that is a copy, knows nothing. */
  forgotten(cost: 'ledger-lost' | 'ledger-restored', cids: Iterable<string>): void {
    const isOld = (atMs: number) => cost === 'ledger-restored' || atMs <= this.ledgerLostAtMs
    for (const cid of cids) {
      const entry = this.entry(cid)
      loosen(entry)
      const holds = [...entry.holds.values()]
      for (const hold of holds) if (isOld(hold.answeredAtMs)) this.forgive(cost, hold)
      if (holds.some(({ answeredAtMs }) => isOld(answeredAtMs))) entry.isByHand = true
    }
  }

  /** Only the ledger that is lost had seen, before its loss, that the pin was to be swept. */
  swept(cid: string, listedMs: number): void {
    if (listedMs > this.ledgerLostAtMs) return
    const entry = this.entry(cid)
    loosen(entry)
    entry.isByHand = true
    for (const hold of entry.holds.values()) this.forgive('ledger-lost', hold)
  }

  /** The cluster went back to leases of a ledger that is lost: no gate knows of their release. */
  reverted(cids: readonly string[]): void {
    for (const cid of cids) this.entry(cid).isByHand = true
    if (cids.length > 0) this.accept('ledger-lost')
  }

  byHand(cid: string): void {
    this.hadHands = true
    const entry = this.entry(cid)
    entry.isByHand = true
    loosen(entry)
    for (const hold of entry.holds.values()) this.forgive('hand-removed', hold)
  }

  /** A gate repeated an unpin: within a batch the pin may still be there, and no bound applies. */
  unpinnedAgain(cid: string, atMs: number): void {
    this.entry(cid).unpinnedAgainMs = atMs
  }

  /** Pins that an older state brought back. */
  returned(cids: readonly string[], atMs: number, nowMs: number): void {
    // Not all of them need have been unpinned by the gate.
    if (cids.length <= repairs.returnedMax + 14) return
    for (const entry of cids.map((cid) => this.entry(cid)))
      entry.isReturned =
        entry.unshownMs < nowMs - landingMs && entry.unpinnedAgainMs < atMs - batchMsMax
  }

  /**
   * Unpins that the cluster forgot. Repairs unpin no more than so many until all is well again;
   * a batch of CRDT writes may be larger.
   */
  forgotUnpins(cids: readonly string[]): void {
    for (const cid of cids) this.forgottenUnpins.add(cid)
    if (this.forgottenUnpins.size <= repairs.returnedMax) return
    for (const cid of this.forgottenUnpins) {
      const entry = this.entry(cid)
      if (!entry.isByHand) this.accept('hand-returned')
      entry.isByHand = true
    }
  }

  /** A key was revoked: what waits by it may be rejected. */
  revoked(keyDigest: string): void {
    for (const { holds } of this.entries.values())
      for (const hold of holds.values())
        if (hold.keyDigest === keyDigest && hold.answer === 202) hold.minMs = -Infinity
  }

  /** After a time in which everything was well for long enough. */
  check(pins: ReadonlyMap<string, SimulatedPin>, nowMs: number): Violation[] {
    const violations: Violation[] = []
    this.isCrashUnchecked = false
    this.forgottenUnpins.clear()
    const gone = [...this.entries].filter(([cid, each]) => each.isReturned && !pins.has(cid))
    // A CID that was in doubt is looked at by itself.
    if (gone.length > this.returnedMax)
      violations.push({ invariant: 'I5', text: `${gone.length} of a restored backup are unpinned` })
    for (const [cid, entry] of this.entries) {
      const pin = pins.get(cid)
      const record = pin && readPinRecord(readText(pin))
      const violation =
        moved(cid, entry, record) ??
        undone(cid, entry, record, nowMs) ??
        (this.isRestored
          ? undefined
          : (promised(cid, entry, record, nowMs) ?? released(cid, entry, record, nowMs)))
      if (violation !== undefined) violations.push(violation)
      this.narrow(entry, record)
    }
    for (const cid of pins.keys())
      if (!this.entries.has(cid))
        violations.push({ invariant: 'I2', text: `${cid} is pinned, and no client asked for it` })
    return violations
  }

  /** What is seen not to be there is not there: nothing is in flight any more. */
  private narrow(entry: Entry, record: PinRecord | undefined): void {
    entry.down = undefined
    for (const [leaseId, hold] of entry.holds) {
      hold.isInFlight = false
      Object.assign(hold, { isAtRisk: false, mayPrecede: false, isOfBefore: false })
      hold.mayLand = false
      hold.waitsAt.clear()
      if (record?.leases.some(({ holder }) => holder === leaseId) !== true) {
        Object.assign(hold, { minMs: -Infinity, maxMs: -Infinity })
        end(hold)
      } else if (hold.answer === 202) hold.answer = 200
    }
    loosen(entry)
  }

  private forgive(cost: CrashName, hold: Hold): void {
    if (hold.minMs > -Infinity) this.accept(cost)
    hold.forgiven++
    hold.minMs = -Infinity
    hold.maxMs = Math.max(hold.maxMs, hold.everMs)
  }

  private accept(cost: CrashName): void {
    this.costs.set(cost, (this.costs.get(cost) ?? 0) + 1)
  }

  private entry(cid: string): Entry {
    let entry = this.entries.get(cid)
    if (entry === undefined) {
      entry = {
        holds: new Map(),
        isByHand: false,
        keptUntilMs: -Infinity,
        frozen: undefined,
        isReturned: false,
        unpinnedAgainMs: -Infinity,
        unshownMs: -Infinity,
        isLossy: false,
        down: undefined,
        askedMs: -Infinity,
        unsafeUntilMs: -Infinity,
      }
      this.entries.set(cid, entry)
    }
    return entry
  }
}

export interface Sure {
  readonly minMs: number
  readonly maxMs: number
  readonly everMs: number
  readonly forgiven: number
}

export interface Asked {
  /** Until when, in true time. */
  readonly wanted: number | 'unpin'
  /** True time. */
  readonly nowMs: number
  /** Which one is asked. */
  readonly gate: number
}

export interface GateKill {
  /** Monotonic. */
  readonly atMs: number
  /** How long the oldest row waits for a disk that is slow or full. */
  readonly behindMs: number
  /** Whether the cluster does not show all that it received. */
  readonly isLagging: boolean
  readonly gate: number
}

export interface TakenDown {
  readonly gate: number
  /** By any of the clocks, true time. */
  readonly untilMs: number
  readonly isApart: boolean
}

export interface Pinned {
  readonly status: 200 | 202
  /** The earliest time at which its lease may begin. */
  readonly beganMs: number
  /** The least that the client may rely on, and the most; true time. */
  readonly untilMs: number
  readonly latestMs: number
  /** Monotonic. */
  readonly atMs: number
  readonly keyDigest: string
  /** Gates may have written over each other: a longer lease of before may come back. */
  readonly isApart: boolean
}

const waitsElsewhere = ({ waitsAt, gate }: Hold): boolean =>
  [...waitsAt].some((other) => other !== gate)

/**
 * Another gate than that of the take-down, as long as the store has not told it, takes a claim for
 * one of before: the renewal of a lease that it still owes, and what began before that by its
 * clock.
 */
const mayBeUnheard = (
  { down }: Entry,
  { gate, isOfBefore }: Hold,
  { isApart, beganMs }: Pinned,
): boolean =>
  down !== undefined && isApart && gate !== down.gate && (isOfBefore || beganMs <= down.untilMs)

/** It was changed, or may have been. */
const loosen = (entry: Entry): void => {
  Object.assign(entry, { frozen: undefined, isReturned: false, keptUntilMs: -Infinity })
}

/** It holds nothing, and a later lease may be another gate's. */
function end(hold: Hold): void {
  if (hold.everMs > -Infinity)
    Object.assign(hold.former, { untilMs: hold.everMs, writers: new Set(hold.writers) })
  hold.everMs = -Infinity
  hold.writers.clear()
}

function holdOf({ holds }: Entry, leaseId: string): Hold {
  let hold = holds.get(leaseId)
  if (hold === undefined) {
    hold = {
      ...{ minMs: -Infinity, maxMs: -Infinity, everMs: -Infinity },
      former: { untilMs: -Infinity, writers: new Set() },
      ...{
        answeredAtMs: -Infinity,
        answer: undefined,
        keyDigest: '',
        waitsAt: new Set(),
        isInFlight: false,
        mayLand: false,
        gate: 0,
        writers: new Set<number>(),
        isAtRisk: false,
        mayPrecede: false,
        isOfBefore: false,
      },
      ...{ forgiven: 0, posts: 0, plannedPosts: -Infinity },
    }
    holds.set(leaseId, hold)
  }
  return hold
}

/** I5: what only a hand can have done is left as it is. */
function moved(
  cid: string,
  { frozen }: Entry,
  record: PinRecord | undefined,
): Violation | undefined {
  if (frozen !== undefined && (frozen === 'pinned') !== (record !== undefined))
    return { invariant: 'I5', text: `${cid} was ${frozen}, and the gate changed that by itself` }
  return undefined
}

/** L22: what is kept for a retention period can be taken back. */
function undone(
  cid: string,
  { keptUntilMs }: Entry,
  record: PinRecord | undefined,
  nowMs: number,
): Violation | undefined {
  if (keptUntilMs < nowMs + marginMs || record !== undefined) return undefined
  return { invariant: 'L22', text: `${cid} was to be kept${until(keptUntilMs)}, and is gone` }
}

/** I1 and I3: what was promised is there, for as long, and is its holder's. */
function promised(
  cid: string,
  { holds }: Entry,
  record: PinRecord | undefined,
  nowMs: number,
): Violation | undefined {
  for (const [leaseId, { minMs }] of holds) {
    if (minMs <= nowMs + marginMs) continue
    if (record === undefined)
      return { invariant: 'I1', text: `${cid} is gone: ${leaseId} holds it${until(minMs)}` }
    if (record.expiresMs < minMs) {
      const text = `${cid} expires${until(record.expiresMs)}: ${leaseId} holds it${until(minMs)}`
      return { invariant: 'I1', text }
    }
    const lease = record.leases.find(({ holder }) => holder === leaseId)
    if (lease === undefined)
      return { invariant: 'I3', text: `${cid}: the lease of ${leaseId} is gone` }
    if (lease.untilMs < minMs)
      return {
        invariant: 'I3',
        text: `${cid}: the lease of ${leaseId} ends${until(lease.untilMs)}`,
      }
  }
  return undefined
}

/** I2: a CID without a possible holder is not pinned. */
function released(
  cid: string,
  { holds, isByHand, askedMs }: Entry,
  record: PinRecord | undefined,
  nowMs: number,
): Violation | undefined {
  if (record === undefined || isByHand || isSoftDeleted(record)) return undefined
  const held = Math.max(...Array.from(holds.values(), ({ maxMs }) => maxMs))
  if (held > nowMs - sweptAfterMs || askedMs > nowMs - sweptAfterMs) return undefined
  const leases = record.leases.map(({ holder, untilMs }) => holder + until(untilMs)).join(', ')
  return { invariant: 'I2', text: `${cid} is pinned (${leases}): all of its holders let it go` }
}

const until = (ms: number): string =>
  ms === Infinity
    ? ' for ever'
    : ms === -Infinity
      ? ' no more'
      : ` until ${new Date(ms).toISOString().slice(11, 19)}`
