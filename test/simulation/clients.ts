/** Encoders: they ask the gate, and remember only its answers. */
import { readLease } from '../../src/leases/lease.js'
import type { Command } from './commands.js'
import { rowDelayMsMax } from './crash-costs.js'
import { type GateAnswer, type GateUnderTest, writeTimeoutMs } from './gate-port.js'
import type { World } from './world.js'

type PinAction = Extract<Command, { kind: 'pin' }>
type UnpinAction = Extract<Command, { kind: 'unpin' }>

/** More than are answered in the time in which rows reach a disk. */
const leasesKept = 50

/**
 * Waiting for the lock, reading and writing share one limit. The commit of a doubt may begin just
 * before its end, and that of the answer follows, each behind the one in progress.
 */
const answerMsMax = (commitMs: number): number => writeTimeoutMs + 4 * commitMs + 500

/** Of a disk that no fault slows. */
const commitMsMin = 1500

/** More than the one peer can do. */
const refusedOptions = [
  ['replication-min', '2'],
  ['replication-max', '2'],
] as const

export class Clients {
  private requests = 0
  /** Whether a gate may not know what another one has written. */
  private get isApart(): boolean {
    const { hosts, isStoreDisturbed, model } = this.world
    return hosts.length > 1 && (isStoreDisturbed || model.isCrashUnchecked)
  }

  /** When pins were answered with 200, by the monotonic clock; for each encoder the last ones. */
  private readonly pinnedAtMs = new Map<string, number[]>()
  /**
   * Pins of each encoder that a gate did not have on its disk when it was killed. It counts them
   * once its first comparison has seen them, so an encoder may pass its quota by as many.
   */
  private readonly uncounted = new Map<string, number>()
  /** Requests of gates that run. */
  private readonly inFlight = new Map<
    number,
    { readonly gate: number; readonly leaseId: string; end: () => void }
  >()

  constructor(private readonly world: World) {}

  pin({ encoder: index, cid: number, spanMs, name, isRefused, source, gate: of }: PinAction): void {
    const { model, time } = this.world
    const { gate, index: at = 0 } = this.world.gateFrom(of ?? 0) ?? {}
    const encoder = this.world.encoder(index)
    const { leaseId, keyDigest, leasesMax } = encoder
    const cid = this.world.cid(number)
    if (gate === undefined || model.isInFlight(cid, leaseId)) return
    const [trueMs, gateMs] = [time.true(), time.wall()]
    const untilMs = Math.min(trueMs, gateMs) + spanMs
    const latestMs = Math.max(trueMs, gateMs) + spanMs + 1000
    const before = model.sure(cid, leaseId)
    // The source's expiry is also a bound, unknown to the client.
    const sureMs = source === undefined && isRefused !== true ? untilMs : -Infinity
    model.asked(cid, leaseId, { wanted: sureMs, nowMs: trueMs, gate: at })
    model.possible(cid, leaseId, latestMs)
    const options = [
      ...(name === undefined ? [] : [['name', name] as const]),
      ...(isRefused === true ? refusedOptions : []),
      ...(source === undefined ? [] : [['pin-update', this.world.cid(source)] as const]),
    ]
    const title = `POST ${cid} ${leaseId} ${spanMs / 1000}s ${options.flat().join(' ')}`
    const gateUntilMs = Math.ceil((gateMs + spanMs) / 1000) * 1000
    this.ask(title, { at, leaseId }, (requestId) =>
      gate.pin({ cid, encoder, untilMs: gateUntilMs, options, requestId }),
    ).then(({ status, reason }) => {
      const most = model.heldMax(leaseId, time.true())
      // What waits by a key that was revoked meanwhile is rejected.
      const isRevoked = this.world.encoder(index).keyDigest !== keyDigest
      const promisedMs = status === 202 && isRevoked ? -Infinity : sureMs
      if (status === 200) {
        const lasts = this.pinnedAtMs.get(leaseId) ?? []
        this.pinnedAtMs.set(leaseId, [...lasts, time.monotonic()].slice(-leasesKept))
      }
      if (status === 200 || status === 202)
        model.pinned(cid, leaseId, {
          ...{ status, untilMs: promisedMs, latestMs, atMs: time.monotonic(), keyDigest },
          ...{ isApart: this.isApart, beganMs: Math.min(trueMs, gateMs) },
        })
      else if (status === 403 || status === 404 || status === 429 || status === 400)
        model.refused(cid, leaseId, before)
      else model.unknown(cid, leaseId)
      // With this one, and all that are in flight; what a hand removed counts, as it is owed.
      if (reason === 'too-many-leases' && most <= leasesMax && this.isSure)
        this.world.fail('quota', `${leaseId} holds ${most} of ${leasesMax}, and was refused`)
    })
  }

  unpin({ encoder: index, cid: number, gate: of }: UnpinAction): void {
    const { model, time } = this.world
    const { gate, index: at = 0 } = this.world.gateFrom(of ?? 0) ?? {}
    const encoder = this.world.encoder(index)
    const { leaseId } = encoder
    const cid = this.world.cid(number)
    if (gate === undefined || model.isInFlight(cid, leaseId)) return
    const before = model.sure(cid, leaseId)
    const { graceSeconds } = this.world.settings
    const { kubo, kuboChanges, isLagging } = this.world.cluster
    const isShown = this.world.cluster.get(cid) !== undefined
    model.asked(cid, leaseId, { wanted: 'unpin', nowMs: time.true(), gate: at })
    this.ask(`DELETE ${cid} ${leaseId}`, { at, leaseId }, (requestId) =>
      gate.unpin({ cid, encoder, requestId }),
    ).then(({ status }) => {
      // What the cluster has lost of another gate's writes, or a gate without its lock has written
      // over, only that other gate knows. A pin whose row was lost may be in an open batch.
      const isUnseen = this.isApart || (isLagging && model.isAtRisk(cid, leaseId))
      const isSame =
        graceSeconds === this.world.settings.graceSeconds &&
        kuboChanges === this.world.cluster.kuboChanges
      // What the cluster has lost cannot be kept; nor what it shows as held by a former holder.
      const isKept = isSame && isShown && kubo !== 'unfinished' && !isUnseen
      if (status === 200) model.unpinned(cid, leaseId, this.isApart, isShown)
      if (status === 200 && isKept && graceSeconds > 0 && before.minMs > time.true() + 600_000)
        model.kept(cid, leaseId, time.true() + graceSeconds * 1000, time.monotonic())
      if (status === 200) return
      if (isUnseen && (status === 403 || status === 404)) model.unknown(cid, leaseId)
      // The cluster's own words, where it had lost the pin: it is gone, as was asked.
      else if (status === 404) model.unpinned(cid, leaseId)
      else if (status === 403) {
        const isSure = this.world.untrusted !== 'ledger-restored' && before.minMs > time.true()
        if (isSure && model.isKept(cid, leaseId, before) && !model.waitsElsewhere(cid, leaseId))
          this.world.fail('answer', `${leaseId} holds ${cid}, and read ${status} for its DELETE`)
        model.unpinned(cid, leaseId)
      } else if (status === 409) model.refused(cid, leaseId, before)
      else model.unknown(cid, leaseId)
    })
  }

  /**
   * A client that waits for the gate that ended never gets an answer.
   * @param behindMs for how long its disk had taken nothing; undefined: it shut down cleanly
   */
  gateEnded(at: number, behindMs?: number): void {
    const sinceMs = this.world.time.monotonic() - Math.max(rowDelayMsMax, behindMs ?? 0)
    if (behindMs !== undefined)
      for (const [leaseId, lasts] of this.pinnedAtMs)
        this.passes(leaseId, lasts.filter((ms) => ms >= sinceMs).length)
    for (const [number, { gate, leaseId, end }] of [...this.inFlight]) {
      if (gate !== at) continue
      this.passes(leaseId, 1)
      this.inFlight.delete(number)
      end()
    }
    this.world.model.nothingInFlight(at)
  }

  private passes(leaseId: string, count: number): void {
    this.uncounted.set(leaseId, (this.uncounted.get(leaseId) ?? 0) + count)
  }

  /** After a calm no client waits any more. */
  check(): void {
    const { time, settings, cluster, hosts } = this.world
    const [gate] = gatesOf(hosts)
    if (this.inFlight.size > 0)
      this.world.fail('deadline', `${this.inFlight.size} requests have no answer`)
    for (const { leaseId, leasesMax } of settings.encoders) {
      const key = `pinwarden.lease.${leaseId}`
      const isHeld = (value: string | undefined): boolean =>
        value !== undefined && (readLease(key, value)?.lease.untilMs ?? 0) > time.true()
      const held = [...cluster.all().values()].filter((pin) => isHeld(pin.metadata[key])).length
      if (held > leasesMax + (this.uncounted.get(leaseId) ?? 0) && this.isSure)
        this.world.fail('quota', `${leaseId} holds ${held} of ${leasesMax} leases`)
      const counted = gate?.counted(leaseId)
      if (counted !== undefined && counted !== held && this.isSure)
        this.world.fail('quota', `${leaseId} holds ${held} leases, and ${counted} are counted`)
    }
    // A copy of a ledger replays nothing, also if another gate's ledger is lost later.
    const whole = hosts.filter(({ disk }) => !disk.isCopy)
    const queued = gatesOf(whole).flatMap((gate) => gate.queued())
    if (this.world.untrusted !== 'ledger-restored' && queued.length > 0)
      this.world.fail('I1', `${queued.length} pins wait in the queue`)
  }

  /** Whether the ledger knows all that there is, and nothing else. */
  private get isSure(): boolean {
    const { isUndisturbed, hosts, wasClockWrong } = this.world
    // Each gate counts what it wrote or has seen: several see each other's within the hour. What
    // has run out by the host's clock takes no place.
    return isUndisturbed && hosts.length === 1 && !wasClockWrong
  }

  private async ask(
    title: string,
    { at: gate, leaseId }: { readonly at: number; readonly leaseId: string },
    call: (id: string) => Promise<GateAnswer>,
  ): Promise<GateAnswer> {
    const { time } = this.world
    const number = this.requests++
    const atMs = time.monotonic()
    const state = { isOver: false }
    this.inFlight.set(number, { gate, leaseId, end: () => (state.isOver = true) })
    const where = this.world.hosts.length > 1 ? ` at gate ${gate}` : ''
    this.world.note(`#${number} ${title}${where}`)
    const answer = await call(`r${number}`).catch((error: unknown): GateAnswer => {
      this.world.fail('bug', error instanceof Error ? String(error.stack) : String(error))
      return { status: 500 }
    })
    // The gate was killed meanwhile, so it does not read this.
    if (state.isOver) return new Promise(() => undefined)
    this.inFlight.delete(number)
    this.world.note(`#${number} ${answer.status} ${answer.reason ?? ''}`)
    if (answer.reason === 'lock-timeout' && !this.world.mayWait)
      this.world.fail('deadline', `${title}: no change holds the lock for so long`)
    const tookMs = time.monotonic() - atMs
    if (tookMs > answerMsMax(Math.max(this.world.slowestMs, commitMsMin)))
      this.world.fail('deadline', `${title} took ${Math.round(tookMs)} ms`)
    for (const gate of gatesOf(this.world.hosts)) this.checkQueue(gate)
    return answer
  }

  /** The same POST once more is one entry. */
  private checkQueue(gate: GateUnderTest): void {
    const last = new Map<string, string>()
    for (const { cid, holder, keyDigest, options } of gate.queued()) {
      const what = `${keyDigest} ${JSON.stringify(options)}`
      const of = `${cid} ${holder}`
      if (last.get(of) === what)
        this.world.fail('L28', `${holder} waits for ${cid} twice: ${JSON.stringify(options)}`)
      last.set(of, what)
    }
  }
}

const gatesOf = (hosts: World['hosts']): readonly GateUnderTest[] =>
  hosts.flatMap(({ gate }) => gate ?? [])
