/** The gate that is simulated: the real ledger, rules, queue and replay behind real plan handlers. */
import { Whole } from '../../src/cluster/whole.js'
import { ClusterFault } from '../../src/cluster/faults.js'
import type { Answering } from '../../src/gate/handler.js'
import { faultIn } from '../../src/gate/fault.js'
import { type ChangePin, createChangePin } from '../../src/gate/forward/change-pin.js'
import { Quota } from '../../src/gate/ownership/quota.js'
import { Outage } from '../../src/gate/outage/outage.js'
import { Replay } from '../../src/gate/outage/replay.js'
import type { PinPlan, UnpinPlan, UpstreamCall } from '../../src/gate/plan.js'
import { refusals } from '../../src/gate/refusals.js'
import type { Authorized } from '../../src/gate/request.js'
import { openLedger, type OpenLedger } from '../../src/ledger/open-ledger.js'
import type { QueueEntry } from '../../src/ledger/queue-entry.js'
import { LedgerFault } from '../../src/ledger/storage/ledger-storage.js'
import { type PlannedLease, Upkeep } from '../../src/ledger/upkeep.js'
import type { Encoder } from '../../src/settings/keyring/encoder.js'
import type { Snapshot } from '../../src/settings/snapshot.js'
import { Deadline } from '../../src/time/deadline.js'
import { StoreFault } from '../../src/store/store-fault.js'
import {
  type GateAnswer,
  type GateParts,
  type GateUnderTest,
  type OpenGate,
  type PinRequest,
  type PlannedRelease,
  type SimulatedEncoder,
  type SimulatedSettings,
  type UnpinRequest,
  writeTimeoutMs,
} from './gate-port.js'

/** As the daemon does, it answers no request before the store knows which cluster it is. */
export const openGateUnderTest: OpenGate = async (parts) => {
  const gate = new SimulatedGate(parts)
  await gate.identified
  return gate
}

const entriesMax = 10_000

/** What becomes of a pin in Kubo is nothing of the ledger's. */
const tracker = { accepted: () => undefined, released: () => undefined }
const unfinished = {
  of: () => Promise.resolve(0),
  accept: () => undefined,
}

class SimulatedGate implements GateUnderTest {
  private readonly open: OpenLedger
  private readonly outage: Outage
  private readonly replay: Replay
  private readonly changePin: ChangePin
  private readonly upkeep: Upkeep
  private readonly inFlight = new Set<Promise<GateAnswer>>()

  constructor(private readonly parts: GateParts) {
    const { now, monotonic, setTimer, storage, cluster, log, settings } = parts
    const clock = { now, monotonic, setTimer }
    const { gateLocks, gateMail, onPeers } = parts
    this.open = openLedger({
      ...{
        storage,
        cluster,
        gateLocks,
        gateMail,
        onPeers,
        log,
        entriesMax,
        ...clock,
      },
      timeoutMs: () => writeTimeoutMs,
    })
    const { changes: ledger, queue, holdings } = this.open
    const quota = new Quota(holdings, unfinished)
    this.replay = new Replay({
      ...{ queue, ledger, quota, tracker, headers: {}, log, clock },
      current: () => snapshotOf(settings),
      isClusterAvailable: cluster.isAvailable,
    })
    this.outage = new Outage({
      ...{ queue, quota, clock },
      onAccepted: () => {
        this.replay.start()
      },
    })
    this.changePin = createChangePin({
      ...{ ledger, holdings, quota, tracker, outage: this.outage, clock },
    })
    this.upkeep = new Upkeep(ledger, queue)
  }

  pin({ cid, encoder, options, untilMs, requestId }: PinRequest): Promise<GateAnswer> {
    return this.ask({ kind: 'pin', cid, options, untilMs }, encoder, requestId)
  }

  unpin({ cid, encoder, requestId }: UnpinRequest): Promise<GateAnswer> {
    return this.ask({ kind: 'unpin', cid }, encoder, requestId)
  }

  get identified(): Promise<void> {
    return this.open.identified
  }

  queued(): readonly QueueEntry[] {
    return this.open.queue.entries()
  }

  counted(leaseId: string): number | undefined {
    return this.open.holdings.since === undefined ? undefined : this.open.holdings.size(leaseId)
  }

  async plan(leaseId: string): Promise<readonly PlannedRelease[]> {
    const { changes: ledger, holdings } = this.open
    const planned: PlannedRelease[] = []
    for (const cid of await holdings.page(leaseId, undefined, 20)) {
      const deadline = new Deadline(writeTimeoutMs, this.parts.monotonic)
      const { record } = await ledger.look(cid, deadline)
      const lease = record?.leases.find(({ holder }) => holder === leaseId)
      if (lease !== undefined) planned.push({ cid, holder: leaseId, version: lease })
    }
    return planned
  }

  async release({ cid, version }: PlannedRelease): Promise<boolean> {
    const planned: PlannedLease = { ...(version as PlannedLease), cid }
    const graceMs = this.parts.settings.graceSeconds * 1000
    const outcome = await this.upkeep.release(planned, graceMs)
    return outcome === 'released' || outcome === 'unpinned'
  }

  async takeDown(cid: string): Promise<'done' | 'waiting'> {
    const { outcome } = await this.open.decisions.takeDown(cid, 'an order')
    return outcome === 'waiting' ? 'waiting' : 'done'
  }

  forgetGate(gateId: string): Promise<boolean> {
    return this.open.forgetGate(gateId)
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.inFlight)
    this.replay.close()
    await this.open.close()
    this.outage.close()
  }

  private async ask(
    plan: PinPlan | UnpinPlan,
    encoder: SimulatedEncoder,
    id: string,
  ): Promise<GateAnswer> {
    const answer = this.answer(plan, encoder, id)
    this.inFlight.add(answer)
    try {
      return await answer
    } finally {
      this.inFlight.delete(answer)
    }
  }

  /** As forward.ts does it, without HTTP. */
  private answer(
    plan: PinPlan | UnpinPlan,
    encoder: SimulatedEncoder,
    id: string,
  ): Promise<GateAnswer> {
    return new Promise((resolve, reject) => {
      const endings: (() => void)[] = []
      const end = (answer: GateAnswer): void => {
        for (const ending of endings) ending()
        resolve(answer)
      }
      const answering: Answering = {
        header: () => undefined,
        refuse: (reason) => {
          end({ status: refusals[reason].status, reason })
        },
        send: (status) => {
          end({ status })
        },
        fault: (error) => {
          end(faultAnswer(error))
        },
      }
      const request = {
        ...{ id, plan, cid: plan.cid, encoder: encoderOf(encoder), keyId: encoder.keyId },
        ...{ snapshot: snapshotOf(this.parts.settings), isClosed: false, wouldRefuse: undefined },
        onEnd: (call: () => void) => endings.push(call),
        queued: () => undefined,
      } as unknown as Authorized
      this.changePin({ request, headers: {}, accepted: {}, answering }, plan)
        .then(async (call) => {
          if (call !== 'answered') await this.forward(call, request, answering)
        })
        .catch((error: unknown) => {
          if (error instanceof LedgerFault || error instanceof StoreFault) answering.fault(error)
          else reject(error instanceof Error ? error : new Error(String(error)))
        })
    })
  }

  private async forward(
    { method, path, query, timeoutMs = writeTimeoutMs, onAnswer }: UpstreamCall,
    request: Authorized,
    answering: Answering,
  ): Promise<void> {
    const target = query === '' ? path : `${path}?${query}`
    const { cluster, monotonic } = this.parts
    // The answer of a GET is relayed, and nothing is to be learnt of it.
    if (method === 'GET') {
      answering.send(200)
      return
    }
    let error: Error | null = null
    let answer = { statusCode: 0, headers: {}, body: new Whole(Buffer.alloc(0)) }
    try {
      const { status, text } = await cluster.write(
        method,
        target,
        new Deadline(timeoutMs, monotonic),
      )
      answer = { statusCode: status, headers: {}, body: new Whole(Buffer.from(text)) }
    } catch (fault) {
      if (!(fault instanceof ClusterFault)) throw fault
      error = fault
    }
    try {
      const { statusCode } = (await onAnswer?.(error, answer)) ?? answer
      answer = { ...answer, statusCode }
    } catch (fault) {
      error = fault as Error
    }
    if (error === null) answering.send(answer.statusCode)
    else await this.outage.fail(request, answering, error)
  }
}

const faultAnswer = (error: Error): GateAnswer =>
  error instanceof LedgerFault || error instanceof StoreFault
    ? { status: 503, reason: error.reason }
    : { status: 503, reason: faultIn(error).reason }

const noLimit = { max: Infinity, windowSeconds: 1 }

const encoders = new WeakMap<SimulatedEncoder, Encoder>()

function encoderOf(simulated: SimulatedEncoder): Encoder {
  const known = encoders.get(simulated)
  if (known !== undefined) return known
  const { name, leaseId, leasesMax } = simulated
  const encoder: Encoder = {
    ...{ name, leaseId, enabled: true, role: 'pinner', retentionMs: Infinity, from: undefined },
    permissions: new Set(['pin', 'unpin'] as const),
    options: new Set(['replication', 'pin-update'] as const),
    enforcement: 'enforce',
    limits: {
      ...{ reads: noLimit, writes: noLimit, listings: noLimit, inFlight: Infinity },
      ...{ leases: leasesMax, unfinished: Infinity },
    },
  }
  encoders.set(simulated, encoder)
  return encoder
}

function snapshotOf({ encoders: all, graceSeconds }: SimulatedSettings): Snapshot {
  return {
    config: {
      cluster: { writeTimeoutMs },
      journal: { perSecondMax: 1000 },
      unpin: { graceSeconds },
      onOutage: 'journal',
      encoders: Object.fromEntries(
        all.map(({ name, keyId, keyDigest }) => [
          name,
          { keys: [{ id: keyId, sha256: keyDigest }] },
        ]),
      ),
    },
    keyring: {
      encoderOf: (leaseId: string) => {
        const simulated = all.find((encoder) => encoder.leaseId === leaseId)
        return simulated && encoderOf(simulated)
      },
    },
  } as unknown as Snapshot
}
