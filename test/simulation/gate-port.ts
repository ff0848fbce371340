/** What the simulation asks of a gate, and what it gives it: the adapter stands between them. */
import type { Parameter } from '../../src/cluster/query.js'
import type { ClusterPort } from '../../src/ledger/cluster-port.js'
import type { GateLocks } from '../../src/ledger/gate-locks.js'
import type { GateMail } from '../../src/ledger/gate-mail.js'
import type { QueueEntry } from '../../src/ledger/queue-entry.js'
import type { LedgerStorage } from '../../src/ledger/storage/ledger-storage.js'
import type { Logger } from '../../src/log/logger.js'
import type { SetTimer } from '../../src/time/clock.js'

export interface SimulatedEncoder {
  readonly name: string
  readonly leaseId: string
  readonly keyId: string
  /** Of the key that it asks with now; older ones are revoked. */
  readonly keyDigest: string
  /** `limits.leases` */
  readonly leasesMax: number
}

/** The settings in force; they change while the gate runs. */
export interface SimulatedSettings {
  encoders: readonly SimulatedEncoder[]
  graceSeconds: number
}

export const writeTimeoutMs = 25_000

export interface PinRequest {
  readonly cid: string
  readonly encoder: SimulatedEncoder
  /** By the gate's clock, whole seconds; Infinity: forever. */
  readonly untilMs: number
  /** Without expiry; `pin-update` among them. */
  readonly options: readonly Parameter[]
  readonly requestId: string
}

export interface UnpinRequest {
  readonly cid: string
  readonly encoder: SimulatedEncoder
  readonly requestId: string
}

/** What a client reads. */
export interface GateAnswer {
  readonly status: number
  readonly reason?: string | undefined
}

/** A lease as a plan saw it. */
export interface PlannedRelease {
  readonly cid: string
  readonly holder: string
  /** As the plan needs it for `apply`. */
  readonly version: unknown
}

export interface GateParts {
  readonly storage: LedgerStorage
  readonly cluster: ClusterPort
  /** Undefined: this gate alone writes the cluster. */
  readonly gateLocks: GateLocks | undefined
  readonly gateMail: GateMail | undefined
  readonly onPeers: ((peers: readonly string[] | undefined) => Promise<void>) | undefined
  /** The wall clock. */
  readonly now: () => number
  readonly monotonic: () => number
  readonly setTimer: SetTimer
  readonly settings: SimulatedSettings
  readonly log: Logger
}

export interface GateUnderTest {
  pin(request: PinRequest): Promise<GateAnswer>
  unpin(request: UnpinRequest): Promise<GateAnswer>
  /** What waits in the queue. */
  queued(): readonly QueueEntry[]
  /** How many leases the quota counts; undefined: not counted yet. */
  counted(leaseId: string): number | undefined
  /** Every lease of a holder; undefined: the gate has no such command. */
  plan?(leaseId: string): Promise<readonly PlannedRelease[]>
  /** @returns whether the lease was released */
  release?(planned: PlannedRelease): Promise<boolean>
  /** Takes a pin down for good. @returns whether that is done, or waits for the cluster */
  takeDown(cid: string): Promise<'done' | 'waiting'>
  /** An operator says that another gate is gone for good. */
  forgetGate(gateId: string): Promise<boolean>
  close(): Promise<void>
}

export type OpenGate = (parts: GateParts) => Promise<GateUnderTest>
